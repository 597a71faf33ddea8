"""A row for each engine, recipe and width: microseconds per training step, and the comparisons.

The plain loop, every engine and the floor take turns in one process, on one thread.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import torch

from scaling import engines
from scaling.bench import together
from scaling.bench.floor import step_flop
from scaling.bench.plain import PlainLoop, PlainNetwork
from scaling.bench.rounds import Contender, Spread, ratio, run_interleaved, size_contender
from scaling.data.selection import DatasetInfo, Examples
from scaling.engines import population
from scaling.engines.training import Model
from scaling.models.weights import initial_weights
from scaling.recipes.ladder import BASELINE, MODERN
from scaling.recipes.registry import find_recipe
from scaling.study import Cell, Member, make_cell, make_members

RECIPES = (BASELINE, MODERN)  # the two ends of the ladder
WIDTHS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """The amount of measurement; seconds are of one run, and each round has one run."""

    widths: tuple[int, ...] = WIDTHS
    rounds: int = 11
    loop_s: float = 0.12
    engine_s: float = 0.06
    members: tuple[int, ...] = (32,)  # of populations, limited by the caches
    device: str = "cpu"  # of populations
    evaluation_s: float = 0.02
    floor_s: float = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One engine on one recipe at one width. Times are medians over rounds, with their ranges.

    Units: `us` is microseconds of CPU time (on a GPU, of wall time) per example and model;
    `evaluate_us` is the same per evaluated image.
    """

    engine: str
    recipe: str
    width: int
    us: float
    us_range: tuple[float, float]
    loop_us: float  # the plain PyTorch loop, in the same rounds
    ratio: float  # the median over rounds of loop / engine
    floor_us: float | None  # of a core; None without numba
    floor_ratio: float | None  # the median over rounds of engine / floor; None for a GPU
    loop_range: tuple[float, float]
    evaluate_us: float
    step_flop: int
    rounds: int
    members: int  # models in lock-step
    device: str


def measure(
    images: Examples,
    fma: Callable[[float], float] | None,
    effort: Effort,
    advance: Callable[[float, str], None],
    recipes: Sequence[str] = (),
) -> Iterator[Row]:
    """Yield the rows of every recipe (or of these) and width, as soon as they are measured.

    `fma` is `fastest_fma()`, or None without numba; `advance` is called after every round.
    """
    with one_thread():
        for name in recipes or RECIPES:
            for width in effort.widths:
                advance(0, f"{name}, width {width}")
                yield from _rows(cell_of(name, width), images, fma, effort, advance)


def new_model(engine: str, cell: Cell, member: Member, examples: Examples) -> Model:
    """Return a model of an engine, ready to train, with its kernels compiled or loaded."""
    if engine == "compiled":
        from scaling.engines.compiled.engine import CompiledModel  # needs numba

        return CompiledModel(cell, member, examples)
    from scaling.engines.reference import ReferenceModel

    return ReferenceModel(cell, member, examples, "cpu")


def epochs_of(model: Model) -> Callable[[], None]:
    """Return a function that trains a model for one more epoch at every call."""
    epochs = count(1)

    def run() -> None:
        problem = model.train_epoch(next(epochs))
        assert problem is None, problem

    return run


@contextmanager
def one_thread() -> Iterator[None]:
    """Set PyTorch to one thread; undo it afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _rows(
    cell: Cell,
    images: Examples,
    fma: Callable[[float], float] | None,
    effort: Effort,
    advance: Callable[[float, str], None],
) -> Iterator[Row]:
    lines = list(_lines(cell, effort))
    contenders = list(_contenders(cell, lines, images, fma, effort))
    width, flop = round(cell.width), step_flop(cell.architecture, cell.recipe)
    us = run_interleaved(
        contenders, effort.rounds, lambda: advance(1, f"{cell.recipe.name}, width {width}")
    )
    loop, floor = us["loop"], us.get("floor")
    for line in lines:
        median, low, high = Spread.of(us[line.name])
        yield Row(
            engine=line.engine,
            recipe=cell.recipe.name,
            width=width,
            us=median,
            us_range=(low, high),
            loop_us=Spread.of(loop).median,
            ratio=ratio(loop, us[line.name]),
            floor_us=Spread.of(floor).median if floor else None,
            floor_ratio=ratio(us[line.name], floor) if floor and line.device == "cpu" else None,
            loop_range=Spread.of(loop)[1:],
            evaluate_us=Spread.of(us[f"{line.name} evaluates"]).median,
            step_flop=flop,
            rounds=effort.rounds,
            members=line.members,
            device=line.device,
        )


class _Line(NamedTuple):
    """The engine, population size and device of a row."""

    engine: str
    members: int = 1
    device: str = "cpu"

    @property
    def name(self) -> str:
        return " ".join(map(str, self))


def _lines(cell: Cell, effort: Effort) -> Iterator[_Line]:
    for engine in engines.NAMES:
        if engine == "population":
            most = population.max_members(cell, effort.device)
            for members in dict.fromkeys(min(k, most) for k in effort.members):
                yield _Line(engine, members, effort.device)
        elif engines.unsupported_reason(engine, cell, "cpu") is None:
            yield _Line(engine)


def _contenders(
    cell: Cell,
    lines: Sequence[_Line],
    images: Examples,
    fma: Callable[[float], float] | None,
    effort: Effort,
) -> Iterator[Contender]:
    (member,) = make_members(cell.recipe, [0])
    start = initial_weights(cell.architecture, cell.recipe, member.seed)

    def loop(n: int) -> Callable[[], None]:
        return PlainLoop(PlainNetwork(cell.recipe, start), images.first(n)).train_epoch

    yield size_contender("loop", loop, effort.loop_s)
    for line in lines:
        if line.engine == "population":
            times = effort.engine_s, effort.evaluation_s
            yield from together.contenders(line.name, cell, *line[1:], images, *times)
            continue

        def trains(n: int, engine: str = line.engine) -> Callable[[], None]:
            return epochs_of(new_model(engine, cell, member, images.first(n)))

        def evaluates(n: int, engine: str = line.engine) -> Callable[[], object]:
            model, some = new_model(engine, cell, member, images.first(1)), images.first(n)
            return lambda: model.score(some)

        yield size_contender(line.name, trains, effort.engine_s)
        yield size_contender(f"{line.name} evaluates", evaluates, effort.evaluation_s)
    if fma is not None:
        flop = step_flop(cell.architecture, cell.recipe)

        def floor(n: int) -> Callable[[], object]:
            return lambda: fma(n * flop)

        yield size_contender("floor", floor, effort.floor_s)


def cell_of(recipe: str, width: int) -> Cell:
    """Return a cell with the fields that a model reads; its data set is a dummy."""
    info = DatasetInfo(name="bench", version="", n_train=1, n_test=1, n_val=0)
    return make_cell(info, find_recipe(recipe), n_train=1, width=width)
