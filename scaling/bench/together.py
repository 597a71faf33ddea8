"""The population engine in the benchmark: models in lock-step, on one core or one GPU."""

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter

import torch

from scaling.bench.rounds import Contender, size_contender
from scaling.data.selection import Dataset, DatasetInfo, Examples
from scaling.engines.population.model import Population
from scaling.engines.population.tracing import DIRECT
from scaling.study import Cell, make_members

# Examples of one run and model: with fewer, the overhead of an epoch or an evaluation shows.
MIN_EXAMPLES, MIN_EVALUATED = 32, 128


def contenders(
    name: str,
    cell: Cell,
    members: int,
    device: str,
    images: Examples,
    train_s: float,
    evaluation_s: float,
) -> tuple[Contender, Contender]:
    """Return a contender that trains and one that evaluates; each model's example counts as one.

    On a GPU they use wall time, as the GPU works while the processor waits.
    """
    clock = gpu_clock if device == "cuda" else None

    def trains(n: int) -> Callable[[], None]:
        return epochs_of(_population(cell, members, device, images.first(n)), n)

    def evaluates(n: int) -> Callable[[], object]:
        population = _population(cell, members, device, images.first(n))
        return lambda: population.score(population.images.test)

    return (
        size_contender(name, trains, train_s, members, clock, MIN_EXAMPLES),
        size_contender(f"{name} evaluates", evaluates, evaluation_s, members, clock, MIN_EVALUATED),
    )


def epochs_of(population: Population, n: int) -> Callable[[], None]:
    """Return a function that trains for one more epoch of n examples; its steps are recorded."""
    epoch = 0

    def run() -> None:
        nonlocal epoch
        epoch += 1
        population.train_epoch(epoch)

    for _ in range(DIRECT // n + 1):
        run()
    return run


def gpu_clock() -> float:
    """Return wall seconds after all work on the GPU has ended."""
    torch.cuda.synchronize()
    return perf_counter()


def _population(cell: Cell, members: int, device: str, images: Examples) -> Population:
    n = len(images)
    info = DatasetInfo(name="bench", version="", n_train=n, n_test=n, n_val=0)
    data = Dataset(info=info, x_train=images.x, y_train=images.y, x_test=images.x, y_test=images.y)
    cell = replace(cell, n_train=n, n_test=n)
    return Population(cell, make_members(cell.recipe, range(members)), data, device)
