"""A row for each engine, recipe and width: microseconds a training step, and what to hold them to.

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
from scaling.bench.rounds import Contender, Spread, interleaved, ratio, sized
from scaling.data.selection import DatasetInfo, Examples
from scaling.engines import population
from scaling.engines.training import Model
from scaling.models.weights import initial_weights
from scaling.recipes.registry import find_recipe
from scaling.study import Cell, Member, make_cell, make_members

RECIPES = ("1989", "dropout_relu")  # the two ends of the ladder
WIDTHS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much to measure; seconds are of one run, of which there is one in each round."""

    widths: tuple[int, ...] = WIDTHS
    rounds: int = 11
    loop_s: float = 0.12
    engine_s: float = 0.06
    members: tuple[int, ...] = (32,)  # of populations, as far as they fit the caches
    device: str = "cpu"  # of populations
    evaluation_s: float = 0.02
    floor_s: float = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One engine on one recipe at one width. Times are medians over rounds, ranges their ends.

    Units: us is microseconds of CPU time an example and model (on a GPU, of time); evaluate_us that
    of an image.
    """

    engine: str
    recipe: str
    width: int
    us: float
    us_range: tuple[float, float]
    loop_us: float  # the plain PyTorch loop, in the same rounds
    ratio: float  # the median over rounds of loop / engine
    floor_us: float | None  # of a core; None where there is no numba to measure it with
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
    """The rows of every recipe (or of these) and width, as soon as they are there.

    `fma` is `fastest_fma()`, or None without numba; `advance` is told of every round.
    """
    with one_thread():
        for name in recipes or RECIPES:
            for width in effort.widths:
                advance(0, f"{name}, width {width}")
                yield from _rows(cell_of(name, width), images, fma, effort, advance)


def new_model(engine: str, cell: Cell, member: Member, examples: Examples) -> Model:
    """A model of an engine, ready to be trained; the engine's kernels are compiled or loaded."""
    if engine == "compiled":
        from scaling.engines.compiled.engine import CompiledModel  # numba, which may be missing

        return CompiledModel(cell, member, examples)
    from scaling.engines.reference import ReferenceModel

    return ReferenceModel(cell, member, examples, "cpu")


def epochs_of(model: Model) -> Callable[[], None]:
    """Trains a model for one more epoch at every call."""
    epochs = count(1)

    def run() -> None:
        broken = model.train_epoch(next(epochs))
        assert broken is None, broken

    return run


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on one thread; as it was afterwards."""
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
    us = interleaved(
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
    """What a row is of."""

    engine: str
    members: int = 1
    device: str = "cpu"

    @property
    def name(self) -> str:
        return " ".join(map(str, self))


def _lines(cell: Cell, effort: Effort) -> Iterator[_Line]:
    for engine in engines.NAMES:
        if engine == "population":
            most = population.at_once(cell, effort.device)
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

    yield sized("loop", loop, effort.loop_s)
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

        yield sized(line.name, trains, effort.engine_s)
        yield sized(f"{line.name} evaluates", evaluates, effort.evaluation_s)
    if fma is not None:
        flop = step_flop(cell.architecture, cell.recipe)

        def floor(n: int) -> Callable[[], object]:
            return lambda: fma(n * flop)

        yield sized("floor", floor, effort.floor_s)


def cell_of(recipe: str, width: int) -> Cell:
    """Only what a model asks of its cell; the images are handed over."""
    info = DatasetInfo(name="bench", version="", n_train=1, n_test=1, n_val=0)
    return make_cell(info, find_recipe(recipe), n_train=1, width=width)
