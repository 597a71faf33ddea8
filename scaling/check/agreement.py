"""Each engine's weights beside those of the reference, after a few steps of many recipes.

The comparison and its bounds are those of tests/test_population.py.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scaling import engines
from scaling.check.cases import Case, Found, noise, trained
from scaling.data.selection import Dataset
from scaling.engines import NumericFailure, Trained
from scaling.engines.saved import Checkpointer, TrainingState
from scaling.models.registry import initial_weights
from scaling.models.weights import Weights
from scaling.recipes.recipe import Recipe
from scaling.recipes.registry import find_recipe
from scaling.study import Cell, Member, make_cell, make_members

STEPS, EPOCHS = 36, 2
MOVED = 100  # times the difference allowed: the least that training moves a weight
DIRECT = 20  # of the steps that the population engine makes before it records one


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """The largest differences allowed: of all but one weight in 1,000, of the worst, of a loss.

    AdamW divides rounding by rounding where a gradient vanishes, hence the second.
    """

    most: float
    worst: float
    loss: float  # relative
    predictions: float  # the share of test images whose class may differ


# Two float32 sums of the same numbers in other orders (measured in the tests).
CPU = Tolerance(most=2e-6, worst=1e-4, loss=1e-5, predictions=0.0)
# Assumed: a GPU also rounds tanh and exp otherwise, at 1 to 2 units in the last place. TF32 would
# be off by 1e-3 in each product.
CUDA = Tolerance(most=1e-5, worst=1e-3, loss=1e-4, predictions=0.02)


def recipe(name: str, **change: object) -> Recipe:
    """Return a recipe that trains for few epochs."""
    return replace(find_recipe(name), **({"epochs": EPOCHS} | change))  # type: ignore[arg-type]


NAMES = ("1989", "ce", "adamw", "augment", "dropout_relu", "gelu", "label_smoothing", "elastic")
RECIPES = {name: recipe(name) for name in NAMES} | {
    "second_order": recipe("second_order", lr=3e-4),
    "minibatches": recipe("dropout_relu", batch_size=7),
    "layer_norm": recipe("layer_norm", batch_size=7),
    "group_norm": recipe("group_norm", connections="cyclic"),
    "weight_norm": recipe("weight_norm", residual=True),
    "batch_norm": recipe("1989", norm="batch", batch_size=8, ema=0.9),
    "residual": recipe("residual"),
    "muon": recipe("1989", optimizer="muon", lr=1e-3, weight_decay=0.1),
    "muon, minibatches": recipe("muon", batch_size=5, norm="layer"),
    "cosine, momentum, average": recipe(
        "1989", momentum=0.9, lr=0.005, schedule="cosine", ema=0.95, warmup=1
    ),
}
OF_THE_REFERENCE = ("1989", "dropout_relu", "second_order", "layer_norm", "muon")


def population_cases(device: str) -> Iterator[Case]:
    """Yield cases of the population engine on a device beside the reference on the CPU."""
    from scaling.engines.population import tracing

    tracing.DIRECT = DIRECT  # so that half of the steps of the CPU are recorded ones
    data = noise()
    for name, how in RECIPES.items():
        yield _beside_reference("population", name, cell_of(data, how), data, device)
    modern = recipe("dropout_relu", batch_size=5, activation="gelu")
    vit = cell_of(data, modern, model="micro_vit")
    yield _beside_reference("population", "micro_vit", vit, data, device)
    for name in ("1989", "dropout_relu"):
        wide = cell_of(data, recipe(name), width=2)
        yield _beside_reference("population", f"{name}, width 2", wide, data, device)
    yield Case(name="twice the same bits", run=lambda: _repeated(data, device))
    yield Case(name="continued after an epoch", run=lambda: _continued(data, device))
    yield Case(name="members that fail leave", run=lambda: _some_fail(data, device))


def reference_cases(device: str) -> Iterator[Case]:
    """Yield cases of the reference on a device beside itself on the CPU."""
    data = noise()
    for name in OF_THE_REFERENCE:
        yield _beside_reference("reference", name, cell_of(data, RECIPES[name]), data, device)


def cell_of(data: Dataset, how: Recipe, model: str = "lecun1989", width: float = 1.0) -> Cell:
    """Return a cell of few steps.

    Rates fall with the width, or rounding grows beyond any bound.
    """
    n_train = int(STEPS / (width if how.activation == "relu" else 1)) // EPOCHS
    how = replace(how, lr=how.lr / width)
    batches = min(how.batch_size, 3)
    return make_cell(
        data.info, how, n_train=n_train * batches, n_test=100, model=model, width=width
    )


def beside_reference(
    cell: Cell,
    members: Sequence[Member],
    ours: Sequence[Trained],
    data: Dataset,
    allowed: Tolerance,
) -> Found:
    """Compare models of an engine with those of the reference on the CPU."""
    theirs = trained(cell, members, data, "reference")
    pairs = list(zip(ours, theirs, strict=True))
    errors = np.concatenate([distances(a.weights, b.weights) for a, b in pairs])
    starts = (initial_weights(cell.sizes, cell.recipe, b.member.seed) for b in theirs)
    moved = min(
        float(distances(b.weights, start).max()) for b, start in zip(theirs, starts, strict=True)
    )
    losses = [abs(a.history[-1].test.loss / b.history[-1].test.loss - 1) for a, b in pairs]
    figures = {
        "most": float(np.quantile(errors, 0.999)),
        "worst": float(errors.max()),
        "loss": float(np.max(losses)),  # of a NaN, NaN: not so `max`
        "predictions": max(float((a.predicted != b.predicted).mean()) for a, b in pairs),
    }
    bounds = {name: getattr(allowed, name) for name in figures}
    # Not `>`: a NaN holds no bound.
    beyond = [name for name, value in figures.items() if not value <= bounds[name]]
    problem = "; ".join(f"{key} {figures[key]:.2g}, allowed {bounds[key]:.2g}" for key in beyond)
    if not moved > MOVED * allowed.most:
        problem = f"nothing was trained: no weight moved by more than {moved:.2g}"
    return Found(
        text=f"difference {figures['most']:.1e}, the worst {figures['worst']:.1e}",
        figures=figures | {"allowed": bounds, "moved": moved},
        problem=problem or None,
    )


def _beside_reference(engine: str, name: str, cell: Cell, data: Dataset, device: str) -> Case:
    members = make_members(cell.recipe, (0, 1))

    def run() -> Found:
        ours = trained(cell, members, data, engine, device)
        return beside_reference(cell, members, ours, data, CUDA if device == "cuda" else CPU)

    return Case(name=name, run=run)


def distances(a: Weights, b: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return each weight's distance, without a transformer's key biases, which change no loss."""
    found = []
    for name in b:
        distance = np.abs(a[name] - b[name])
        if name.endswith("qkv_bias"):
            distance = np.delete(distance.reshape(3, -1), 1, axis=0)
        found.append(distance.ravel())
    return np.concatenate(found)


def _repeated(data: Dataset, device: str) -> Found:
    cell = cell_of(data, RECIPES["dropout_relu"])
    members = make_members(cell.recipe, range(5))
    once, again = (trained(cell, members, data, "population", device) for _ in range(2))
    return same_bits(once, again)


def _continued(data: Dataset, device: str) -> Found:
    cell = cell_of(data, recipe("ema", batch_size=5))
    members = make_members(cell.recipe, range(3))
    checkpointer = _Memory()

    def checkpointer_of(*_: object) -> Checkpointer:
        return checkpointer

    once, again = (
        trained(cell, members, data, "population", device, checkpointer_of=checkpointer_of)
        for _ in range(2)
    )
    assert checkpointer.loaded, "the second training began anew"
    return same_bits(once, again)


def _some_fail(data: Dataset, device: str) -> Found:
    cell = cell_of(data, recipe("1989", output="linear"))
    members = list(make_members(cell.recipe, range(3)))
    lost = (0, 2)
    for place in lost:
        members[place] = replace(members[place], lr=1e38)
    results = list(
        engines.train(cell, members, data, engine="population", device=device, epochs_evaluated=[1])
    )
    failed = tuple(i for i, result in enumerate(results) if isinstance(result, NumericFailure))
    if failed != lost:
        return Found(text="", problem=f"members {failed} of 3 failed, expected {lost}")
    sound = [result for result in results if isinstance(result, Trained)]
    return beside_reference(cell, members[1:2], sound, data, CUDA if device == "cuda" else CPU)


def same_bits(once: Sequence[Trained], again: Sequence[Trained]) -> Found:
    """Compare two trainings of the same members to the bit."""
    pairs = zip(once, again, strict=True)
    worst = float(np.concatenate([distances(a.weights, b.weights) for a, b in pairs]).max())
    problem = None if worst == 0 else f"weights differ by up to {worst:.2g}, expected the same bits"
    return Found(text="the same bits", figures={"worst": worst}, problem=problem)


class _Memory:
    """A checkpointer that holds the first state it receives."""

    def __init__(self) -> None:
        self.state: TrainingState | None = None
        self.loaded = False

    def load(self) -> TrainingState | None:
        self.loaded = self.state is not None
        return self.state

    def save_if_due(self, saved: Callable[[], TrainingState]) -> None:
        self.state = self.state or saved()

    def remove(self) -> None:
        """Keep it: the second training begins with it."""
