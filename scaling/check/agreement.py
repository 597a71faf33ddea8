"""Each engine's weights compared with those of the reference, after a few steps of many recipes.

The comparison and its bounds are those of tests/engines/test_population.py.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scaling import engines
from scaling.check.cases import Case, Outcome, noise, train_all
from scaling.data.selection import Dataset
from scaling.engines import NumericFailure, Trained
from scaling.engines.saved import Checkpointer, TrainingState
from scaling.models.registry import initial_weights
from scaling.models.weights import Weights
from scaling.recipes.ladder import BASELINE, MODERN
from scaling.recipes.recipe import Recipe
from scaling.recipes.registry import find_recipe
from scaling.study import Cell, Member, make_cell, make_members

STEPS, EPOCHS = 36, 2
MOVED = 100  # times the difference allowed: the least that training moves a weight
DIRECT = 20  # steps before the population engine records one


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """The largest differences allowed: of all but one weight in 1,000, of the worst, of a loss.

    AdamW divides rounding errors by rounding errors where a gradient vanishes, hence the second.
    """

    most: float
    worst: float
    loss: float  # relative
    predictions: float  # the share of test images whose class may differ


# The difference of two float32 sums in different orders (measured in the tests).
CPU = Tolerance(most=2e-6, worst=1e-4, loss=1e-5, predictions=0.0)
# Assumed: a GPU also rounds tanh and exp differently, by 1 to 2 units in the last place. TF32 would
# be off by 1e-3 in each product.
CUDA = Tolerance(most=1e-5, worst=1e-3, loss=1e-4, predictions=0.02)


def recipe(name: str, **change: object) -> Recipe:
    """Return a recipe that trains for few epochs."""
    return replace(find_recipe(name), **({"epochs": EPOCHS} | change))  # type: ignore[arg-type]


NAMES = (BASELINE, "ce", "adamw", "augment", MODERN, "gelu", "label_smoothing", "elastic")
RECIPES = {name: recipe(name) for name in NAMES} | {
    "second_order": recipe("second_order", lr=3e-4),
    "minibatches": recipe(MODERN, batch_size=7),
    "layer_norm": recipe("layer_norm", batch_size=7),
    "group_norm": recipe("group_norm", connections="cyclic"),
    "weight_norm": recipe("weight_norm", residual=True),
    "batch_norm": recipe(BASELINE, norm="batch", batch_size=8, ema=0.9),
    "residual": recipe("residual"),
    "muon": recipe(BASELINE, optimizer="muon", lr=1e-3, weight_decay=0.1),
    "muon, minibatches": recipe("muon", batch_size=5, norm="layer"),
    "cosine, momentum, average": recipe(
        BASELINE, momentum=0.9, lr=0.005, schedule="cosine", ema=0.95, warmup=1
    ),
}
REFERENCE_RECIPES = (BASELINE, MODERN, "second_order", "layer_norm", "muon")


def population_cases(device: str) -> Iterator[Case]:
    """Yield cases that compare the population engine on a device with the reference on the CPU."""
    from scaling.engines.population import tracing

    tracing.DIRECT = DIRECT  # so that half of the CPU's steps are recorded
    data = noise()
    for name, how in RECIPES.items():
        yield _reference_case("population", name, cell_of(data, how), data, device)
    modern = recipe(MODERN, batch_size=5, activation="gelu")
    vit = cell_of(data, modern, model="micro_vit")
    yield _reference_case("population", "micro_vit", vit, data, device)
    for name in (BASELINE, MODERN):
        wide = cell_of(data, recipe(name), width=2)
        yield _reference_case("population", f"{name}, width 2", wide, data, device)
    yield Case(name="twice the same bits", run=lambda: _train_twice(data, device))
    yield Case(name="continued after an epoch", run=lambda: _resume(data, device))
    yield Case(name="members that fail leave", run=lambda: _drop_failed(data, device))


def reference_cases(device: str) -> Iterator[Case]:
    """Yield cases that compare the reference on a device with itself on the CPU."""
    data = noise()
    for name in REFERENCE_RECIPES:
        yield _reference_case("reference", name, cell_of(data, RECIPES[name]), data, device)


def cell_of(data: Dataset, how: Recipe, model: str = "lecun1989", width: float = 1.0) -> Cell:
    """Return a cell of few steps.

    Its learning rate falls with the width, as otherwise rounding errors grow without bound.
    """
    n_train = int(STEPS / (width if how.activation == "relu" else 1)) // EPOCHS
    how = replace(how, lr=how.lr / width)
    batches = min(how.batch_size, 3)
    return make_cell(
        data.info, how, n_train=n_train * batches, n_test=100, model=model, width=width
    )


def compare_with_reference(
    cell: Cell,
    members: Sequence[Member],
    ours: Sequence[Trained],
    data: Dataset,
    allowed: Tolerance,
) -> Outcome:
    """Compare models of an engine with those of the reference on the CPU."""
    theirs = train_all(cell, members, data, "reference")
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
        "loss": float(np.max(losses)),  # NaN if any is NaN, unlike `max`
        "predictions": max(float((a.predicted != b.predicted).mean()) for a, b in pairs),
    }
    bounds = {name: getattr(allowed, name) for name in figures}
    # Not `>`: NaN must exceed every bound.
    beyond = [name for name, value in figures.items() if not value <= bounds[name]]
    problem = "; ".join(f"{key} {figures[key]:.2g}, allowed {bounds[key]:.2g}" for key in beyond)
    if not moved > MOVED * allowed.most:
        problem = f"nothing was trained: no weight moved by more than {moved:.2g}"
    return Outcome(
        text=f"difference {figures['most']:.1e}, the worst {figures['worst']:.1e}",
        figures=figures | {"allowed": bounds, "moved": moved},
        problem=problem or None,
    )


def _reference_case(engine: str, name: str, cell: Cell, data: Dataset, device: str) -> Case:
    members = make_members(cell.recipe, (0, 1))

    def run() -> Outcome:
        ours = train_all(cell, members, data, engine, device)
        return compare_with_reference(cell, members, ours, data, CUDA if device == "cuda" else CPU)

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


def _train_twice(data: Dataset, device: str) -> Outcome:
    cell = cell_of(data, RECIPES[MODERN])
    members = make_members(cell.recipe, range(5))
    once, again = (train_all(cell, members, data, "population", device) for _ in range(2))
    return compare_bits(once, again)


def _resume(data: Dataset, device: str) -> Outcome:
    cell = cell_of(data, recipe("ema", batch_size=5))
    members = make_members(cell.recipe, range(3))
    checkpointer = _Memory()

    def checkpointer_of(*_: object) -> Checkpointer:
        return checkpointer

    once, again = (
        train_all(cell, members, data, "population", device, checkpointer_of=checkpointer_of)
        for _ in range(2)
    )
    assert checkpointer.loaded, "the second training began anew"
    return compare_bits(once, again)


def _drop_failed(data: Dataset, device: str) -> Outcome:
    cell = cell_of(data, recipe(BASELINE, output="linear"))
    members = list(make_members(cell.recipe, range(3)))
    lost = (0, 2)
    for place in lost:
        members[place] = replace(members[place], lr=1e38)
    results = list(
        engines.train(cell, members, data, engine="population", device=device, epochs_evaluated=[1])
    )
    failed = tuple(i for i, result in enumerate(results) if isinstance(result, NumericFailure))
    if failed != lost:
        return Outcome(text="", problem=f"members {failed} of 3 failed, expected {lost}")
    sound = [result for result in results if isinstance(result, Trained)]
    allowed = CUDA if device == "cuda" else CPU
    return compare_with_reference(cell, members[1:2], sound, data, allowed)


def compare_bits(once: Sequence[Trained], again: Sequence[Trained]) -> Outcome:
    """Compare two trainings of the same members to the bit."""
    pairs = zip(once, again, strict=True)
    worst = float(np.concatenate([distances(a.weights, b.weights) for a, b in pairs]).max())
    problem = None if worst == 0 else f"weights differ by up to {worst:.2g}, expected the same bits"
    return Outcome(text="the same bits", figures={"worst": worst}, problem=problem)


class _Memory:
    """A checkpointer that keeps the first state it receives."""

    def __init__(self) -> None:
        self.state: TrainingState | None = None
        self.loaded = False

    def load(self) -> TrainingState | None:
        self.loaded = self.state is not None
        return self.state

    def save_if_due(self, saved: Callable[[], TrainingState]) -> None:
        self.state = self.state or saved()

    def remove(self) -> None:
        """Keep the state, as the second training begins with it."""
