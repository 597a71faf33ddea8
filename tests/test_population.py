"""The population engine: each member as the reference trains it, whoever trains beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from scaling import engines
from scaling.data import Dataset, DatasetInfo, Examples, select, shift_images
from scaling.engines import NumericFailure, Trained, compiled, population
from scaling.engines.population import draws, tracing
from scaling.engines.population import model as population_model
from scaling.engines.population.engine import train_population
from scaling.engines.population.images import Images
from scaling.engines.population.network import Networks, distances
from scaling.engines.population.products import convolve
from scaling.engines.population.showing import Showing
from scaling.engines.population.tracing import Traced
from scaling.model import Classifier, loss_of
from scaling.models import initial_weights
from scaling.muon import MuonAndAdamW, hidden_matrices
from scaling.networks import build_network
from scaling.presentation import present
from scaling.randomness import keep_mask, presentation_keys, shifts
from scaling.recipe import Recipe
from scaling.recipes import find_recipe
from scaling.study import Cell, Member, make_cell, make_members

DIRECT, STEPS, EPOCHS = 20, 36, 2  # half of the steps are recorded


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """A second thread waits for its core in a busy loop: a hundred times slower beside others."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracing, "DIRECT", DIRECT)
        yield
    torch.set_num_threads(threads)


def recipe(name: str, **change: object) -> Recipe:
    return replace(find_recipe(name), **({"epochs": EPOCHS} | change))  # type: ignore[arg-type]


def train(
    data: Dataset,
    cell: Cell,
    members: Sequence[Member],
    engine: str = "population",
    **more: Any,
) -> list[Trained]:
    results = list(engines.train(cell, members, data, engine=engine, epochs_evaluated=[1], **more))
    assert all(isinstance(result, Trained) for result in results)
    assert {result.engine for result in results} == {engine}  # type: ignore[union-attr]
    return results  # type: ignore[return-value]


def assert_equal(one: Trained | NumericFailure, other: Trained | NumericFailure) -> None:
    """Bit for bit, times apart."""
    assert isinstance(one, Trained)
    assert isinstance(other, Trained)
    assert one.member == other.member
    assert one.weights.keys() == other.weights.keys()
    assert all((one.weights[name] == other.weights[name]).all() for name in one.weights)
    scores = ([(e.train, e.val, e.test) for e in result.history] for result in (one, other))
    assert next(scores) == next(scores)
    assert (one.predicted == other.predicted).all()


def _determined(name: str, differences: np.ndarray) -> np.ndarray:
    """Without the biases of a transformer's keys, which no loss depends on: they learn rounding."""
    if name.endswith("qkv_bias"):
        differences = np.delete(differences.reshape(3, -1), 1, axis=0)
    return np.abs(differences).ravel()


def assert_agrees(data: Dataset, how: Recipe, model: str = "lecun1989", width: float = 1.0) -> None:
    """Two members, each as near to the reference as two float32 sums of the same numbers are.

    Both are judged by float64 in test_compiled.py's manner: all but one weight in 1,000 within
    2e-6, and the worst, which AdamW may make by dividing rounding by rounding, within 1e-4.
    """
    n_train = STEPS // EPOCHS * min(how.batch_size, 3)
    cell = make_cell(data.info, how, n_train=n_train, n_test=100, model=model, width=width)
    members = make_members(how, (0, 1))
    ours, theirs = (train(data, cell, members, engine) for engine in ("population", "reference"))
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.weights.keys() == other.weights.keys()
        start = initial_weights(cell.sizes, how, mine.member.seed)
        errors, steps = (
            np.concatenate([_determined(k, mine.weights[k] - against[k]) for k in start])
            for against in (other.weights, start)
        )
        assert steps.max() > 1e-3, "nothing was trained"
        assert np.quantile(errors, 0.999) < 2e-6
        assert errors.max() < 1e-4
        for a, b in zip(mine.history, other.history, strict=True):
            assert (a.epoch, a.examples_seen, a.train.n) == (b.epoch, b.examples_seen, b.train.n)
            assert (a.train.misses, a.test.misses) == (b.train.misses, b.test.misses)
            losses = pytest.approx((b.train.loss, b.test.loss), rel=1e-5)
            assert (a.train.loss, a.test.loss) == losses
        assert (mine.predicted == other.predicted).all()


VARIANTS = {
    "1989": recipe("1989"),
    "ce": recipe("ce"),
    "adamw": recipe("adamw"),
    "augment": recipe("augment"),
    "dropout_relu": recipe("dropout_relu"),
    "minibatches": recipe("1989", batch_size=7),
    "minibatches, modern": recipe("modern", batch_size=7),
    "momentum, gelu, cosine, averaged": recipe(
        "1989", momentum=0.9, lr=0.005, activation="gelu", schedule="cosine", ema=0.95, warmup=1
    ),
    "mixup, elastic, smoothing, background": recipe(
        "ce", mixup=0.4, elastic=0.8, label_smoothing=0.1, shift=2, shift_fill="background"
    ),
    "mixup, squared error": recipe("1989", mixup=0.4, label_smoothing=0.1),
    "twisted tanh": recipe("1989", activation="twisted_tanh", output="scaled_tanh"),
    "second order": recipe("1989", optimizer="sdlm", lr=3e-4),
    "outputs alone": recipe("augment", trainable="output"),
    "weight normalization": recipe("modern", norm="weight", residual=True),
    "layer normalization": recipe("modern", norm="layer"),
    "group normalization": recipe("1989", norm="group", connections="cyclic", lr=0.01),
    "batch normalization": recipe("1989", norm="batch", batch_size=8, ema=0.9),
    "muon": recipe("1989", optimizer="muon", lr=1e-3, weight_decay=0.1),
    "muon, outputs alone": recipe("ce", optimizer="muon", lr=1e-3, trainable="output"),
    "muon, minibatches": recipe("modern", optimizer="muon", batch_size=5, norm="layer"),
}


@pytest.mark.parametrize("how", VARIANTS.values(), ids=VARIANTS)
def test_members_are_those_of_the_reference(random_data: Dataset, how: Recipe) -> None:
    assert_agrees(random_data, how)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_so_are_members_of_another_model(random_data: Dataset, optimizer: str) -> None:
    how = recipe("modern", optimizer=optimizer, activation="gelu")
    assert_agrees(random_data, how, model="micro_vit")


@pytest.mark.parametrize("width", [0.5, pytest.param(3.0, marks=pytest.mark.slow)])
def test_so_are_members_of_other_widths(random_data: Dataset, width: float) -> None:
    assert_agrees(random_data, recipe("adamw"), width=width)


MIXED = (  # learning rates as multiples of the recipe's
    Member(seed=3, lr=1.0, weight_decay=0.1),
    Member(seed=1, lr=0.3, weight_decay=0.0),
    Member(seed=8, lr=0.7, weight_decay=0.01),
    Member(seed=1, lr=0.5, weight_decay=0.01),
    Member(seed=5, lr=0.9, weight_decay=0.0),
)


ALONGSIDE = {
    "1989": recipe("1989"),
    "modern": recipe("modern"),
    "modern with batches": recipe("modern", batch_size=7),
    "muon": recipe("ce", optimizer="muon"),
}


@pytest.mark.parametrize("how", ALONGSIDE.values(), ids=ALONGSIDE)
def test_a_member_does_not_depend_on_what_trains_beside_it(
    random_data: Dataset, how: Recipe
) -> None:
    """Bit for bit in its place among as many; in another place, or alone, up to rounding."""
    cell = make_cell(random_data.info, how, n_train=STEPS // 2, n_test=100)
    members = [replace(member, lr=member.lr * how.lr) for member in MIXED]
    together = train(random_data, cell, members)
    others = [replace(member, seed=member.seed + 20, lr=how.lr) for member in members]
    beside = train(random_data, cell, [*others[:3], members[3], *others[4:]])
    assert_equal(beside[3], together[3])
    (alone,) = train(random_data, cell, [members[4]])
    for name, weights in alone.weights.items():
        assert np.quantile(np.abs(weights - together[4].weights[name]), 0.999) < 2e-6


def test_who_fails_is_named_and_leaves_the_others_as_they_are(random_data: Dataset) -> None:
    """Bit for bit, while fewer than half have failed; then the others move together."""
    how = recipe("1989", output="linear", epochs=3)
    cell = make_cell(random_data.info, how, n_train=15, n_test=50)
    sound = make_members(how, range(5))
    wild = [replace(member, lr=1e4) for member in make_members(how, range(10, 15))]

    def results(*members: Member) -> list[Trained | NumericFailure]:
        return list(
            train_population(cell, members, random_data, device="cpu", epochs_evaluated=[1])
        )

    among = results(wild[0], sound[1], sound[2], wild[3], sound[4])
    for k in (0, 3):
        failed = among[k]
        assert isinstance(failed, NumericFailure)
        assert failed.member == wild[k]
        assert "epoch 1 of 3 (learning rate 10000)" in failed.error
    expected = results(*sound)
    for k in (1, 2, 4):
        assert_equal(among[k], expected[k])
    few = results(sound[0], wild[1], wild[2], wild[3], sound[4])
    for k in (0, 4):
        ours, theirs = few[k], expected[k]
        assert isinstance(ours, Trained)
        assert isinstance(theirs, Trained)
        assert [e.epoch for e in ours.history] == [1, 3]
        assert all(np.abs(ours.weights[n] - theirs.weights[n]).max() < 2e-6 for n in ours.weights)


def test_when_all_have_failed_nothing_is_left_to_do(random_data: Dataset) -> None:
    how = recipe("1989", output="linear", lr=1e38)
    cell = make_cell(random_data.info, how, n_train=20)
    results = list(
        train_population(
            cell, make_members(how, (0, 1)), random_data, device="cpu", epochs_evaluated=[]
        )
    )
    assert [type(result) for result in results] == [NumericFailure] * 2


def test_more_members_than_fit_are_trained_in_turns(
    random_data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = recipe("1989")
    cell = make_cell(random_data.info, how, n_train=10, n_test=20)
    members = make_members(how, (4, 2, 0, 1, 3))
    together = train(random_data, cell, members)
    monkeypatch.setitem(population.MOST_MEMBERS, "cpu", 2)
    for result, expected in zip(train(random_data, cell, members), together, strict=True):
        assert result.member == expected.member
        assert (result.predicted == expected.predicted).all()
        assert np.abs(result.weights["h3_weight"] - expected.weights["h3_weight"]).max() < 2e-6


def test_as_many_members_at_once_as_fit_the_caches(random_data: Dataset) -> None:
    def at_once(width: float) -> int:
        cell = make_cell(random_data.info, find_recipe("1989"), n_train=1, width=width)
        return population.at_once(cell, "cpu")

    assert [at_once(width) for width in (1, 4, 8, 64)] == [32, 29, 7, 1]


@pytest.mark.parametrize("val_in_train", [True, False])
def test_the_split_tune_validates_on_the_same_images(
    random_data: Dataset, val_in_train: bool
) -> None:
    data = random_data
    if not val_in_train:
        info = replace(data.info, val_in_train=False)
        data = replace(data, info=info, x_val=data.x_test[:100], y_val=data.y_test[:100])
    how = recipe("1989")
    cell = make_cell(data.info, how, n_train=40, n_test=50, split="tune")
    members = make_members(how, (0, 3))
    ours, theirs = (train(data, cell, members, engine) for engine in ("population", "reference"))
    for mine, other in zip(ours, theirs, strict=True):
        scores = [(e.val, o.val) for e, o in zip(mine.history, other.history, strict=True)]
        assert len(scores) == 2
        for val, expected in scores:
            assert val is not None
            assert expected is not None
            assert (val.n, val.misses) == (expected.n, expected.misses) == (100, val.misses)
            assert val.loss == pytest.approx(expected.loss, rel=1e-5)


def test_members_may_start_with_given_weights(random_data: Dataset) -> None:
    how = recipe("1989")
    cell = make_cell(random_data.info, how, n_train=10, n_test=20)
    members = make_members(how, (0, 1))

    def start(member: Member) -> dict[str, np.ndarray]:
        return initial_weights(cell.sizes, how, member.seed + 50)

    ours, theirs = (
        train(random_data, cell, members, engine, start=start)
        for engine in ("population", "reference")
    )
    for mine, other in zip(ours, theirs, strict=True):
        assert all(np.abs(mine.weights[k] - other.weights[k]).max() < 1e-6 for k in mine.weights)


def test_each_member_sees_its_own_images_in_its_own_order(random_data: Dataset) -> None:
    """With shifts, mixing, distortion and dropout as one model's are drawn."""
    how = recipe("modern", mixup=0.3, elastic=1.0, shift=2, shift_fill="background")
    n, seeds, epoch, units = 30, [5, 2], 3, 192
    chosen = [select(random_data, n_train=n, n_test=1, split="none", seed=s).train for s in seeds]
    pool = Examples(
        x=np.concatenate([c.x for c in chosen]), y=np.concatenate([c.y for c in chosen])
    )
    images = Images(
        torch.from_numpy(pool.x),
        torch.from_numpy(pool.y).long(),
        torch.arange(2 * n).view(2, n),
    )
    at = slice(7, 19)
    shown = Showing.of(how, images, units, seeds, epoch).prepared(at)
    assert shown.keep_KCU is not None
    for k, seed in enumerate(seeds):
        keys = presentation_keys(seed, (epoch - 1) * n, n)
        one = present(chosen[k], how, keys)
        x = shift_images(one.x, *shifts(keys, how.shift), how.shift_fill)[at]
        np.testing.assert_allclose(shown.x_KCHW[k].numpy(), x, atol=1e-6)
        keep = keep_mask(keys[at], units, how.dropout).astype(np.float32)
        keep /= np.float32(1 - how.dropout)
        assert (shown.keep_KCU[k].numpy() == keep).all()
        target = np.zeros((n, 10))
        np.add.at(target, (np.arange(n), one.y), one.share)
        np.add.at(target, (np.arange(n), one.other), 1 - one.share)
        np.testing.assert_allclose(shown.target_KC10[k].numpy(), target[at], atol=1e-6)


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
            distances(how, z_, target).mean().backward()
        assert z_.grad is not None
        gradients.append(z_.grad)
    torch.testing.assert_close(*gradients)


CONVOLUTIONS: dict[str, tuple[tuple[int, ...], dict[str, object]]] = {
    "plain": ((4, 6, 3, 3), {}),
    "stride and bias": ((4, 6, 5, 5), {"stride": 2, "bias": torch.arange(4.0)}),
    "oblong": ((4, 6, 3, 2), {"stride": (2, 3), "padding": (1, 2)}),
    "groups": ((4, 3, 3, 3), {"groups": 2, "padding": 1}),
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
    kept = networks.only(torch.tensor([True, False, True]))
    torch.testing.assert_close(kept.outputs(kept.flat_KW, x[::2]), outputs[::2])


def test_a_recording_does_what_was_recorded_to_what_it_is_given() -> None:
    calls = 0

    def function(named: dict[str, Tensor]) -> Tensor:
        nonlocal calls
        calls += 1
        named["state"].add_(named["x"].sum())
        return named["state"].view(2, 2).permute(0, 1).view(4) * named["x"][0]

    traced, state = Traced(function), torch.zeros(4)
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
    assert engines.together(cell) == population.FEW
    assert engines.together(cell, "reference") == 1
    few, many = (engines.us_per_example(cell, members)[0] for members in (2, 32))
    assert few > 3 * many
    assert engines.us_per_example(cell, 1) == engines.us_per_example(cell, engine="reference")
    plain = replace(cell, recipe=find_recipe("1989"))
    assert engines.together(plain) == 1
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
    monkeypatch.setattr(population_model, "Captured", Counted)
    model = population_model.Population(cell, members, random_data, "cpu")
    model._device = "cuda"
    monkeypatch.setattr(population_model.Population, "finite", lambda _: np.ones(2, bool))
    for epoch in (1, 2):
        model.train_epoch(epoch)
    assert sizes == [(True, 4), (True, 4), (False, 2)] * 2
    weights = model._networks.weights(model._averaged_KW)[0]
    assert all((weights[name] == expected.weights[name]).all() for name in weights)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["1989", "minibatches, modern", "muon", "batch normalization"])
def test_a_gpu_gives_the_same_models_up_to_rounding(random_data: Dataset, name: str) -> None:
    how = VARIANTS[name]
    cell = make_cell(random_data.info, how, n_train=97)
    members = make_members(how, range(5))
    for cpu, gpu in zip(
        train(random_data, cell, members),
        train(random_data, cell, members, device="cuda"),
        strict=True,
    ):
        for key in cpu.weights:
            np.testing.assert_allclose(cpu.weights[key], gpu.weights[key], atol=1e-4)
