"""Engines: each trains members of one cell and returns results to store.

The engine is not part of the identity, so engines must agree on every recipe that they share. The
fastest engine that supports a cell on the device trains it, unless the user names one. The order is
compiled, population, reference; but the reference precedes the population engine for a single model
on the CPU with one example a step, where both are equally fast.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from scaling.data.selection import Dataset
from scaling.engines import compiled, population
from scaling.engines.result import Evaluation, NumericFailure, Trained
from scaling.engines.saved import Checkpointer
from scaling.errors import InputError
from scaling.models.weights import Weights
from scaling.study import Cell, Member

Observer = Callable[[Member, Evaluation], None]
NAMES = ("compiled", "population", "reference")  # fastest first
DEVICES = ("cpu", "cuda")

# The sources of the figures in `us_per_example`.
COST_SOURCES = {
    ("compiled", "cpu"): "measured, one core, Zen 5 with AVX-512",
    ("population", "cpu"): "measured, one core, brought to a 2 GHz Xeon",
    ("population", "cuda"): "assumed, no GPU has been measured: 200 us a step, 0.2 a model",
    ("reference", "cpu"): "measured, one core, 2 GHz Xeon",
}


def unsupported_reason(engine: str, cell: Cell, device: str) -> str | None:
    """Return why an engine cannot train a cell on a device; None if it can."""
    supports = {"compiled": compiled.supports, "population": population.supports}
    return supports[engine](cell, device) if engine in supports else None


def choose(
    cell: Cell, engine: str | None = None, device: str = "cpu", members: int = population.GROUP_SIZE
) -> str:
    """Return the fastest engine for this number of members of a cell, or the one named.

    Raises InputError if the named one cannot train the cell.
    """
    if engine is None:
        able = [name for name in NAMES if unsupported_reason(name, cell, device) is None]
        grouped = population.is_faster(cell, device, members)
        return next(name for name in able if name != "population" or grouped)
    if engine not in NAMES:
        raise InputError(f"unknown engine '{engine}': expected one of {', '.join(NAMES)}")
    if reason := unsupported_reason(engine, cell, device):
        able = [name for name in NAMES if unsupported_reason(name, cell, device) is None]
        raise InputError(f"engine {engine}: {reason}; use --engine {' or '.join(able)}")
    return engine


def us_per_example(
    cell: Cell, members: int = population.GROUP_SIZE, engine: str | None = None, device: str = "cpu"
) -> tuple[float, float]:
    """Return predicted microseconds on one core to train on one example and to evaluate one.

    They are for one of this number of members that are trained together. SCALING_US_PER_EXAMPLE
    replaces the first by a measurement on another machine.
    """
    recipe, growth = cell.recipe, cell.sizes.n_macs / 63_660
    adamw = recipe.optimizer == "adamw"
    chosen = choose(cell, engine, device, members)
    if chosen == "population":
        train, evaluate = population.us_per_example(cell, device, members)
    elif chosen == "compiled":  # measured, one core, Zen 5 with AVX-512
        train, evaluate = (1.6 + 2.5 * growth if adamw else 1.4 + 1.6 * growth), 0.5 + 0.65 * growth
        # From the core seconds of 1,100 stored models, relative to similar recipes without them.
        train *= 1.6 if recipe.optimizer == "sdlm" else 1.0
        train *= 0.4 if recipe.trainable == "output" else 1.0
        train += 5.2 if recipe.elastic else 0.0
    else:  # measured, one core, 2 GHz Xeon
        train, evaluate = (450 if adamw else 350) / recipe.batch_size + 90 * growth, 17 * growth
    return float(os.environ.get("SCALING_US_PER_EXAMPLE", train)), evaluate


def cost_source(engine: str, device: str) -> str:
    """Return the source of an engine's predicted microseconds, for reports of plans."""
    if "SCALING_US_PER_EXAMPLE" in os.environ:
        return "given by SCALING_US_PER_EXAMPLE"
    return COST_SOURCES.get((engine, device), "assumed")


def preferred_group_size(cell: Cell, engine: str | None = None, device: str = "cpu") -> int:
    """Return the number of members of a cell that one process should train together."""
    if choose(cell, engine, device) != "population":
        return 1
    most = population.max_members(cell, device)
    return most if device == "cuda" else min(population.GROUP_SIZE, most)


def gpu_share(cell: Cell, members: int) -> float:
    """Return the share of a GPU that this number of members uses: 1, 1/2, 1/4 or 1/8."""
    utilization = population.gpu_utilization(cell, members)
    return next(share for share in (0.125, 0.25, 0.5, 1.0) if utilization <= share)


def resolve_device(device: str) -> str:
    """Return the device that trains. Raises InputError if this machine lacks the device.

    SCALING_FAKE_GPU=1, for tests of clusters, replaces a GPU by the CPU; results name the CPU.
    """
    if device == "cpu":
        return device
    if os.environ.get("SCALING_FAKE_GPU") == "1":
        _warn_once("SCALING_FAKE_GPU=1: the CPU trains in place of a GPU\n")
        return "cpu"
    from scaling.engines.reference import check_device  # torch takes seconds to import

    check_device(device)
    return device


def available_cores() -> int:
    """Return the number of cores this process may use, perhaps fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def train(
    cell: Cell,
    members: Sequence[Member],
    data: Dataset,
    *,
    engine: str | None = None,
    device: str = "cpu",
    epochs_evaluated: Sequence[int],
    observe: Observer | None = None,
    start: Callable[[Member], Weights] | None = None,
    checkpointer_of: Callable[[Sequence[Member], str, str], Checkpointer] | None = None,
) -> Iterator[Trained | NumericFailure]:
    """Train members of a cell and yield their results in order, as soon as each is finished.

    `observe` receives every evaluation; `start` returns a member's initial weights in place of
    random ones. `checkpointer_of` returns the checkpoint of members that are trained together by an
    engine on a device, from which an interrupted training goes on; it is removed when the caller
    asks for the next result. The population engine yields the results of several members at once.

    Raises InputError for an engine that cannot train the cell or a device that this machine lacks.
    """
    chosen = choose(cell, engine, device, len(members))
    device = resolve_device(device)
    if chosen != "compiled" and device == "cpu" and (reason := compiled.unavailable()):
        _warn_once(
            f"the compiled engine is missing, training is 10 to 100 times slower: {reason}\n"
        )
    if chosen == "population":
        from scaling.engines.population.engine import train_population  # seconds to import

        yield from train_population(
            cell,
            members,
            data,
            device=device,
            epochs_evaluated=epochs_evaluated,
            observe=observe,
            start=start,
            checkpointer_of=(
                (lambda some: checkpointer_of(some, chosen, device)) if checkpointer_of else None
            ),
        )
        return
    if chosen == "compiled":
        from scaling.engines.compiled.engine import train_member  # numba, but no torch
    else:
        from scaling.engines.reference import train_member  # seconds to import

    for member in members:
        checkpointer = checkpointer_of([member], chosen, device) if checkpointer_of else None
        yield train_member(
            cell,
            member,
            data,
            device=device,
            epochs_evaluated=epochs_evaluated,
            observe=observe,
            start=start(member) if start else None,
            checkpointer=checkpointer,
        )
        if checkpointer:
            checkpointer.remove()


def warm_up(cells: Sequence[Cell], engine: str | None = None, device: str = "cpu") -> None:
    """Compile the kernels of these cells on this node, once, and report it on stderr."""
    for cell in cells:
        if choose(cell, engine, device) == "compiled":
            from scaling.engines.compiled.engine import warm_up as compile_for

            compile_for(cell)


@cache
def _warn_once(line: str) -> None:
    sys.stderr.write(line)


__all__ = ["DEVICES", "NAMES", "Evaluation", "NumericFailure", "Trained", "choose", "train"]
