"""Test the parts of the population engine: draws, losses, products, recordings, Muon."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lockstep import DIRECT, recipe, train
from torch import Tensor

from scaling import engines
from scaling.data.counter_rng import keep_mask, presentation_keys
from scaling.data.selection import Dataset, DatasetInfo
from scaling.engines import compiled, population
from scaling.engines.population import draws
from scaling.engines.population import model as population_model
from scaling.engines.population.network import Networks, example_losses
from scaling.engines.population.products import convolve
from scaling.engines.population.tracing import TracedFunction
from scaling.models.build import build_network
from scaling.models.lecun1989 import Classifier, loss_of
from scaling.models.registry import initial_weights
from scaling.optim.muon import MuonAndAdamW, hidden_matrices
from scaling.recipes.registry import find_recipe
from scaling.study import make_cell, make_members

pytestmark = pytest.mark.usefixtures("recorded")


def test_random_words_are_those_of_the_other_engines() -> None:
    keys = presentation_keys(9, 0, 500)
    words = torch.from_numpy(keys.view(np.int32))
    for rate in (0.25, 0.5, 0.75):
        kept = draws.keep_factors(words[None], 40, rate)[0].numpy() > 0
        assert (kept == keep_mask(keys, 40, rate)).all()


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
def test_distances_have_the_gradient_of_the_loss(loss: str) -> None:
    how = recipe("1989", loss=loss, label_smoothing=0.2)
    z, y = torch.randn(1, 6, 10, dtype=torch.float64), torch.arange(6)
    gradients = []
    for z_ in (z.clone().requires_grad_() for _ in range(2)):
        if gradients:
            loss_of(how, z_[0], y, 0.2).backward()
        else:
            target = torch.nn.functional.one_hot(y, 10)[None] * 0.8 + 0.02
            example_losses(how, z_, target).mean().backward()
        assert z_.grad is not None
        gradients.append(z_.grad)
    torch.testing.assert_close(*gradients)


CONVOLUTIONS: dict[str, tuple[tuple[int, ...], dict[str, object]]] = {
    "plain": ((4, 6, 3, 3), {}),
    "stride and bias": ((4, 6, 5, 5), {"stride": 2, "bias": torch.arange(4.0)}),
    "oblong": ((4, 6, 3, 2), {"stride": (2, 3), "padding": (1, 2)}),
    "groups": ((4, 3, 3, 3), {"groups": 2, "padding": 1}),
    "dilated": ((4, 6, 3, 2), {"dilation": (2, 3), "stride": 2, "padding": 2}),
}


@pytest.mark.parametrize(("shape", "how"), CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_products_are_convolutions(shape: tuple[int, ...], how: dict[str, object]) -> None:
    x, kernel = torch.randn(3, 6, 11, 9), torch.randn(shape)
    expected = torch.conv2d(x, kernel, **how)  # type: ignore[call-overload]
    torch.testing.assert_close(convolve(x, kernel, **how), expected)  # type: ignore[arg-type]


class Counting(Classifier):
    """A linear classifier with everything that a module may have: a running mean, a constant."""

    weight: Tensor
    mean: Tensor
    order: Tensor

    def __init__(self, weight: np.ndarray) -> None:
        super().__init__()
        self.dropped_units = 4
        self.weight = torch.nn.Parameter(torch.from_numpy(weight))
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("order", torch.tensor([2, 0, 1, 3]))

    def forward(self, x_BHW: Tensor, keep_BU: Tensor | None = None) -> Tensor:
        x = x_BHW[:, 0, :4][:, self.order]
        if self.training:
            self.mean.mul_(0.9).add_(x.mean(dim=0), alpha=0.1)
        x = x - self.mean
        return (x if keep_BU is None else x * keep_BU) @ self.weight


def test_buffers_are_each_members_own_and_change_in_place() -> None:
    starts = [{"weight": np.random.default_rng(s).normal(size=(4, 10))} for s in range(3)]
    how = recipe("1989", output="linear")
    networks = Networks.of(Counting(starts[0]["weight"]), how, ["weight"], starts, "cpu")
    alone = [Counting(start["weight"]) for start in starts]
    for step in range(DIRECT + 5):  # the last ones recorded
        x = torch.randn(3, 2, 16, 16, dtype=torch.float64)
        y = torch.randint(0, 10, (3, 2))
        target = torch.nn.functional.one_hot(y, 10).double()
        gradients = networks.gradient(x, target, None)
        for k, module in enumerate(alone):
            module.train().zero_grad()
            loss_of(how, module(x[k]), y[k]).backward()
            assert module.weight.grad is not None
            torch.testing.assert_close(gradients[k], module.weight.grad.flatten(), msg=f"{step}")
            torch.testing.assert_close(networks.others["mean"][k], module.mean)
    outputs = networks.outputs(networks.flat_KW, x)
    for k, module in enumerate(alone):
        torch.testing.assert_close(outputs[k], module.eval()(x[k]))
    assert set(networks.others) == {"mean"}, "a constant is nobody's own"
    kept = networks.subset(torch.tensor([True, False, True]))
    torch.testing.assert_close(kept.outputs(kept.flat_KW, x[::2]), outputs[::2])


def test_a_recording_does_what_was_recorded_to_what_it_is_given() -> None:
    calls = 0

    def function(named: dict[str, Tensor]) -> Tensor:
        nonlocal calls
        calls += 1
        named["state"].add_(named["x"].sum())
        return named["state"].view(2, 2).permute(0, 1).view(4) * named["x"][0]

    traced, state = TracedFunction(function), torch.zeros(4)
    expected = torch.zeros(4)
    for i in range(DIRECT + 20):
        x = torch.full((3,), float(i))
        expected += x.sum()
        assert (traced({"x": x, "state": state}) == expected * i).all()
        assert (state == expected).all()
    assert calls == DIRECT + 1
    traced({"x": torch.ones(5), "state": state})
    assert calls == DIRECT + 2, "another shape needs a recording of its own"


def test_muon_is_pytorchs_own_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """With PyTorch's bfloat16 made float32, which is where ours departs from it."""
    monkeypatch.setattr(Tensor, "bfloat16", Tensor.float)
    how = recipe("1989")
    sizes = make_cell(
        DatasetInfo(name="x", version="", n_train=1, n_test=1, n_val=0), how, n_train=1
    ).sizes
    ours, theirs = (build_network(sizes, how, initial_weights(sizes, how, 0)) for _ in range(2))
    optimizer = MuonAndAdamW(ours, lr=0.01, weight_decay=0.1)
    hidden = [theirs.get_parameter(name) for name in ("h2_weight", "h3_weight")]
    matrices = [torch.nn.Parameter(value.detach().flatten(1)) for value in hidden]
    others = [p for p in theirs.parameters() if not any(p is matrix for matrix in hidden)]
    muon = torch.optim.Muon(matrices, lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    adamw = torch.optim.AdamW(others, lr=0.01, weight_decay=0.1)
    for _ in range(5):
        gradients = [torch.randn(p.shape) for p in ours.parameters()]
        for mine, other, gradient in zip(
            ours.parameters(), theirs.parameters(), gradients, strict=True
        ):
            mine.grad, other.grad = gradient.clone(), gradient.clone()
        for value, matrix in zip(hidden, matrices, strict=True):
            assert value.grad is not None
            matrix.grad = value.grad.flatten(1)
        optimizer.step()
        muon.step()
        adamw.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, atol=2e-6, rtol=0)
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in ours.parameters())


def test_muon_moves_the_matrices_between_the_outer_ones() -> None:
    names = ["h1_weight", "h1_bias", "h2_weight", "h2_gain", "h3_weight", "output_weight"]
    assert hidden_matrices(names) == ["h2_weight", "h3_weight"]
    assert hidden_matrices(["output_weight", "output_bias"]) == []


def test_the_rule_asks_how_many_models_there_are(
    random_data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = make_cell(random_data.info, recipe("modern", norm="layer"), n_train=60)
    assert engines.choose(cell) == engines.choose(cell, members=2) == "population"
    assert engines.choose(cell, members=1) == "reference"
    batches = replace(cell, recipe=replace(cell.recipe, batch_size=8))
    assert engines.choose(batches, members=1) == "population"
    assert engines.choose(cell, members=1, device="cuda") == "population"
    assert engines.preferred_group_size(cell) == population.GROUP_SIZE
    assert engines.preferred_group_size(cell, "reference") == 1
    few, many = (engines.us_per_example(cell, members)[0] for members in (2, 32))
    assert few > 3 * many
    assert engines.us_per_example(cell, 1) == engines.us_per_example(cell, engine="reference")
    plain = replace(cell, recipe=find_recipe("1989"))
    assert engines.preferred_group_size(plain) == 1
    monkeypatch.setattr(compiled, "unavailable", lambda: "not today")
    assert engines.choose(plain) == "population"


def test_a_shorter_last_batch_of_a_recorded_step_is_not_the_recorded_one(
    random_data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a CUDA graph is used for, with a stand-in that only counts."""
    sizes: list[tuple[bool, int]] = []

    class Counted:
        def __init__(self, step, shown, changed) -> None:  # type: ignore[no-untyped-def]
            self.step, self.size = step, shown[0].shape[1]
            assert all(isinstance(value, Tensor) for value in changed)

        def fits(self, shown) -> bool:  # type: ignore[no-untyped-def]
            fits = shown[0].shape[1] == self.size
            sizes.append((fits, shown[0].shape[1]))
            return fits

        def __call__(self, *shown: Tensor) -> None:
            self.step(*shown)

    how = recipe("adamw", batch_size=4, ema=0.9)
    cell = make_cell(random_data.info, how, n_train=10, n_test=10)
    members = make_members(how, (0, 1))
    (expected, _) = train(random_data, cell, members)
    monkeypatch.setattr(population_model, "CapturedStep", Counted)
    model = population_model.Population(cell, members, random_data, "cpu")
    model._device = "cuda"
    monkeypatch.setattr(population_model.Population, "finite_members", lambda _: np.ones(2, bool))
    for epoch in (1, 2):
        model.train_epoch(epoch)
    assert sizes == [(True, 4), (True, 4), (False, 2)] * 2
    weights = model._networks.weights(model._averaged_KW)[0]
    assert all((weights[name] == expected.weights[name]).all() for name in weights)
