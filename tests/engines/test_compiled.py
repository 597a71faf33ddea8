"""Test the compiled engine against autograd, weight by weight, and its refusals."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  everybody's name for it

from scaling import engines
from scaling.data.augment import present
from scaling.data.counter_rng import keep_mask, presentation_keys, shifts
from scaling.data.selection import Dataset, select, shift_images
from scaling.engines import Trained
from scaling.engines.compiled.layout import Layout
from scaling.models.architecture import Architecture
from scaling.models.lecun1989 import Network
from scaling.models.weights import Weights, initial_weights
from scaling.optim.sdlm import DAMPING, curvature
from scaling.recipes.recipe import Recipe
from scaling.recipes.registry import find_recipe
from scaling.study import Cell, Member, make_cell, make_members

STEPS, EPOCHS = 300, 3  # the schedule moves, and the counting of presentations goes on

pytestmark = pytest.mark.usefixtures("one_thread")


def recipe(name: str, **change: object) -> Recipe:
    return replace(find_recipe(name), epochs=EPOCHS, **change)  # type: ignore[arg-type]


def train(data: Dataset, cell: Cell, engine: str, *seeds: int) -> list[Trained]:
    members = make_members(cell.recipe, seeds or (0,))
    results = list(engines.train(cell, members, data, engine=engine, epochs_evaluated=[1, 2]))
    assert all(isinstance(result, Trained) for result in results)
    return results  # type: ignore[return-value]


def in_double_precision(
    data: Dataset, cell: Cell, member: Member, rate_scales: Weights | None = None
) -> Weights:
    """An independent loop over the same draws: autograd and PyTorch's optimizers in float64."""
    how = cell.recipe
    examples = select(data, n_train=cell.n_train, n_test=1, split="none", seed=member.seed).train
    start = initial_weights(cell.architecture, how, member.seed)
    network = Network(cell.architecture, how, start).double()
    averaged = Network(cell.architecture, how, start).double()
    optimizer: torch.optim.Optimizer = torch.optim.SGD(
        network.parameters(), lr=member.lr, momentum=how.momentum
    )
    if how.optimizer == "adamw":
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=member.lr, weight_decay=member.weight_decay
        )
    for epoch in range(how.epochs):
        if how.optimizer == "sdlm":
            diagonal = curvature(network, torch.from_numpy(examples.first(300).x).double())
            rate_scales = {name: (1 / (DAMPING + h)).numpy() for name, h in diagonal.items()}
        optimizer.param_groups[0]["lr"] = member.lr * how.lr_factor(epoch)
        keys = presentation_keys(member.seed, epoch * len(examples), len(examples))
        shown = present(examples, how, keys)
        x = torch.from_numpy(
            shift_images(shown.x, *shifts(keys, how.shift), how.shift_fill)
        ).double()
        share = torch.from_numpy(shown.share).double()[:, None]
        target = F.one_hot(torch.from_numpy(shown.y).long(), 10) * share
        target = target + F.one_hot(torch.from_numpy(shown.other).long(), 10) * (1 - share)
        target = target * (1 - how.label_smoothing) + how.label_smoothing / 10
        keep = torch.from_numpy(keep_mask(keys, cell.architecture.h2_units, how.dropout))
        for i in range(len(examples)):
            optimizer.zero_grad()
            z = network(x[i : i + 1], keep[i : i + 1].double() / (1 - how.dropout))
            if how.loss == "cross_entropy":
                F.cross_entropy(z, target[i : i + 1]).backward()
            else:
                F.mse_loss(z, target[i : i + 1] * 2 - 1).backward()
            for name, value in network.named_parameters():
                if rate_scales:
                    value.grad *= torch.from_numpy(rate_scales[name])
                if how.trainable == "output" and not name.startswith("output"):
                    value.grad = None
            optimizer.step()
            with torch.no_grad():
                for name, value in averaged.named_parameters():
                    value.mul_(how.ema).add_((1 - how.ema) * network.get_parameter(name))
    return {name: value.detach().numpy() for name, value in averaged.named_parameters()}


def distances(weights: Weights, exact: Weights) -> np.ndarray:
    return np.concatenate([np.abs(weights[name] - exact[name]).ravel() for name in exact])


def assert_agrees(data: Dataset, how: Recipe, width: float = 1.0) -> None:
    """The compiled engine is as near to double precision as float32 autograd is.

    A weight whose gradient nearly vanishes makes AdamW divide rounding by rounding, whoever does
    it; so the worst weight is judged by autograd's worst, and all but one in 1,000 by 2e-6.

    Rates fall with the width, or training is chaos and nothing agrees with anything. A ReLU whose
    input is 0 up to rounding may go either way, so wide networks that have it make fewer steps:
    as many such inputs as there are at width 1.
    """
    steps = int(STEPS / width) if how.activation == "relu" else STEPS
    how = replace(how, lr=how.lr / width)
    cell = make_cell(data.info, how, n_train=steps // EPOCHS, width=width)
    (fast,), (autograd,) = (train(data, cell, engine) for engine in ("compiled", "reference"))
    assert (fast.engine, autograd.engine) == ("compiled", "reference")
    exact = in_double_precision(data, cell, fast.member)
    error, allowed = distances(fast.weights, exact), distances(autograd.weights, exact)
    assert np.quantile(error, 0.999) < 2e-6
    assert error.max() < max(2e-6, 4 * allowed.max())
    for ours, theirs in zip(fast.history, autograd.history, strict=True):
        assert ours.test.misses == theirs.test.misses
        assert ours.train.loss == pytest.approx(theirs.train.loss, rel=1e-5)
        assert ours.test.loss == pytest.approx(theirs.test.loss, rel=1e-5)
    assert (fast.predicted == autograd.predicted).all()
    assert (fast.correct == autograd.correct).all()
    assert {k: v.shape for k, v in fast.weights.items()} == {k: v.shape for k, v in exact.items()}


# Three compilations serve these: whatever can be is a run-time value.
VARIANTS = {
    "1989": recipe("1989"),
    "ce": recipe("ce"),
    "linear outputs, squared error": recipe("1989", output="linear", lr_end=0.1),
    "tanh outputs, cross-entropy": recipe("ce", output="tanh"),
    "1989 with shift and dropout": recipe("1989", shift=2, dropout=0.5),
    "adamw": recipe("adamw"),
    "augment": recipe("augment"),
    "tanh with dropout": recipe("augment", dropout=0.3, weight_decay=0.3),
    "dropout_relu": recipe("dropout_relu"),
}


@pytest.mark.parametrize("how", VARIANTS.values(), ids=VARIANTS)
def test_weights_are_those_of_autograd(random_data: Dataset, how: Recipe) -> None:
    assert_agrees(random_data, how)


NEIGHBOURS = {
    "gelu, momentum": recipe("1989", activation="gelu", momentum=0.9, lr=0.005),
    "cosine": recipe("1989", schedule="cosine", lr_end=0.1),
    "constant": recipe("1989", schedule="constant", lr_end=0.1),
    "label smoothing": recipe("1989", label_smoothing=0.2),
    "label smoothing, cross-entropy": recipe("ce", label_smoothing=0.2),
    "averaged weights": recipe("1989", ema=0.98),
    "shift in from the background": recipe("1989", shift=3, shift_fill="background"),
    "warm-up": recipe("1989", warmup=2),
    "mixup": recipe("1989", mixup=0.4),
    "mixup, cross-entropy": recipe("ce", mixup=0.4, label_smoothing=0.1),
    "elastic": recipe("1989", elastic=0.8),
    "outputs alone": recipe("augment", trainable="output"),
    "twisted tanh": recipe("1989", activation="twisted_tanh", output="twisted_tanh"),
    "second order": recipe("1989", optimizer="sdlm", lr=3e-4),
}
SLOW_NEIGHBOURS = {
    "momentum": recipe("1989", momentum=0.9, lr=0.005),
    "gelu": recipe("modern", activation="gelu"),
    "scaled tanh": recipe("1989", activation="scaled_tanh"),
    "scaled tanh, adamw": recipe("modern", activation="scaled_tanh"),
    "everything": recipe(
        "modern",
        activation="gelu",
        schedule="cosine",
        label_smoothing=0.1,
        ema=0.95,
        shift=2,
        shift_fill="background",
    ),
}


@pytest.mark.parametrize("how", NEIGHBOURS.values(), ids=NEIGHBOURS)
def test_the_ladders_neighbours_are_those_of_autograd(random_data: Dataset, how: Recipe) -> None:
    assert_agrees(random_data, how)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("how", SLOW_NEIGHBOURS.values(), ids=SLOW_NEIGHBOURS)
def test_more_neighbours_are_those_of_autograd(
    random_data: Dataset, how: Recipe, width: float
) -> None:
    assert_agrees(random_data, how, width)


def test_every_weight_may_have_a_rate_of_its_own(random_data: Dataset) -> None:
    """As the paper's diagonal second-order method needs; here with scaled tanh, as there."""
    from scaling.engines.compiled.engine import CompiledModel

    how = recipe("1989", activation="scaled_tanh", lr=0.02)
    cell = make_cell(random_data.info, how, n_train=STEPS // EPOCHS)
    (member,) = make_members(how, [0])
    rng = np.random.default_rng(0)
    start = initial_weights(cell.architecture, how, 0)
    scales = {k: rng.uniform(0.2, 1.5, v.shape).astype(np.float32) for k, v in start.items()}
    examples = select(random_data, n_train=cell.n_train, n_test=1, split="none", seed=0).train
    model = CompiledModel(cell, member, examples, rate_scales=scales)
    for epoch in range(1, EPOCHS + 1):
        assert model.train_epoch(epoch) is None
    exact = in_double_precision(random_data, cell, member, scales)
    assert np.quantile(distances(model.weights(), exact), 0.999) < 2e-6


def test_weights_are_those_of_autograd_in_vectors_of_16(random_data: Dataset) -> None:
    assert_agrees(random_data, recipe("modern"), width=2.0)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1.0, 2.0, 3.0, 4.0, 8.0])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_weights_are_those_of_autograd_at_every_width(
    random_data: Dataset, activation: str, optimizer: str, width: float
) -> None:
    base = recipe("1989" if optimizer == "sgd" else "modern", activation=activation)
    assert_agrees(random_data, base, width)
    assert_agrees(random_data, replace(base, shift=1, dropout=0.25), width)


def test_a_result_does_not_depend_on_what_ran_before(random_data: Dataset) -> None:
    cell = make_cell(random_data.info, recipe("modern"), n_train=60)
    (alone,) = train(random_data, cell, "compiled", 3)
    beside = train(random_data, cell, "compiled", 1, 3)[1]
    assert all((alone.weights[name] == beside.weights[name]).all() for name in alone.weights)
    assert [e.test for e in alone.history] == [e.test for e in beside.history]


@pytest.mark.parametrize("width", [1, 2, 3, 4, 8])
def test_weights_come_back_as_they_went_in(width: int) -> None:
    weights = initial_weights(Architecture(float(width)), find_recipe("1989"), 0)
    layout = Layout(width)
    back = layout.unpack(layout.pack(weights))
    assert all((back[name] == weights[name]).all() for name in weights)
    places = np.concatenate([index.ravel() for index in layout.positions.values()])
    assert len(np.unique(places)) == len(places) == Architecture(float(width)).n_params
    assert places.max() < layout.offsets["end"]
    assert 8 * width % layout.V == 0, "a vector must not reach into the next tap"
