"""Engines: each trains members of one cell and returns what is worth storing.

Which engine did it never bears on identity, so engines must agree on every recipe that they share.
The rule: the fastest engine that supports a cell on the device trains it, unless one is asked for:
the compiled one, then the population; and the reference where it is as fast as that, which is a
single model on the CPU that learns from one example at a time.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from scaling.data.selection import Dataset
from scaling.engines import compiled, population
from scaling.engines.result import Evaluation, NumericFailure, Trained
from scaling.engines.saved import Keeper
from scaling.errors import InputError
from scaling.models.weights import Weights
from scaling.study import Cell, Member

Observer = Callable[[Member, Evaluation], None]
NAMES = ("compiled", "population", "reference")  # the fastest first
DEVICES = ("cpu", "cuda")

# What `us_per_example` rests on.
FIGURES = {
    ("compiled", "cpu"): "measured, one core, Zen 5 with AVX-512",
    ("population", "cpu"): "measured, one core, brought to a 2 GHz Xeon",
    ("population", "cuda"): "assumed, no GPU has been measured: 200 us a step, 0.2 a model",
    ("reference", "cpu"): "measured, one core, 2 GHz Xeon",
}


def unsupported_reason(engine: str, cell: Cell, device: str) -> str | None:
    """Why an engine cannot train a cell on a device; None if it can."""
    supports = {"compiled": compiled.supports, "population": population.supports}
    return supports[engine](cell, device) if engine in supports else None


def choose(
    cell: Cell, engine: str | None = None, device: str = "cpu", members: int = population.FEW
) -> str:
    """The fastest engine that can train so many members of a cell, or the one asked for.

    Raises InputError if that one cannot.
    """
    if engine is None:
        able = [name for name in NAMES if unsupported_reason(name, cell, device) is None]
        alone = not population.worthwhile(cell, device, members)
        return next(name for name in able if name != "population" or not alone)
    if engine not in NAMES:
        raise InputError(f"unknown engine '{engine}': expected one of {', '.join(NAMES)}")
    if reason := unsupported_reason(engine, cell, device):
        able = [name for name in NAMES if unsupported_reason(name, cell, device) is None]
        raise InputError(f"engine {engine}: {reason}; use --engine {' or '.join(able)}")
    return engine


def us_per_example(
    cell: Cell, members: int = population.FEW, engine: str | None = None, device: str = "cpu"
) -> tuple[float, float]:
    """Microseconds on one core to train on one example, and to evaluate one, for predictions only.

    Of one of so many members that are trained together.
    SCALING_US_PER_EXAMPLE overrides the first with what was measured on another machine.
    """
    recipe, grows = cell.recipe, cell.sizes.n_macs / 63_660
    adamw = recipe.optimizer == "adamw"
    chosen = choose(cell, engine, device, members)
    if chosen == "population":
        train, evaluate = population.us_per_example(cell, device, members)
    elif chosen == "compiled":  # measured, one core, Zen 5 with AVX-512
        train, evaluate = (1.6 + 2.5 * grows if adamw else 1.4 + 1.6 * grows), 0.5 + 0.65 * grows
        # By the core seconds of 1,100 stored models, relative to their neighbours without it.
        train *= 1.6 if recipe.optimizer == "sdlm" else 1.0
        train *= 0.4 if recipe.trainable == "output" else 1.0
        train += 5.2 if recipe.elastic else 0.0
    else:  # measured, one core, 2 GHz Xeon
        train, evaluate = (450 if adamw else 350) / recipe.batch_size + 90 * grows, 17 * grows
    return float(os.environ.get("SCALING_US_PER_EXAMPLE", train)), evaluate


def figures_of(engine: str, device: str) -> str:
    """Where the microseconds of an engine come from, for whoever plans with them."""
    if "SCALING_US_PER_EXAMPLE" in os.environ:
        return "given by SCALING_US_PER_EXAMPLE"
    return FIGURES.get((engine, device), "assumed")


def preferred_group_size(cell: Cell, engine: str | None = None, device: str = "cpu") -> int:
    """How many members of a cell are better trained in one place than in several."""
    if choose(cell, engine, device) != "population":
        return 1
    most = population.at_once(cell, device)
    return most if device == "cuda" else min(population.FEW, most)


def gpu_share(cell: Cell, members: int) -> float:
    """The part of a GPU that training so many members keeps busy: 1, 1/2, 1/4 or 1/8."""
    busy = population.busy(cell, members)
    return next(share for share in (0.125, 0.25, 0.5, 1.0) if busy <= share)


def resolve_device(device: str) -> str:
    """The device, if this machine has it. Raises InputError if not.

    SCALING_FAKE_GPU=1 is for tests of clusters: there the CPU stands in, and its results say so.
    """
    if device == "cpu":
        return device
    if os.environ.get("SCALING_FAKE_GPU") == "1":
        _say_once("SCALING_FAKE_GPU=1: the CPU trains what was meant for a GPU\n")
        return "cpu"
    from scaling.engines.reference import check_device  # torch takes seconds to import

    check_device(device)
    return device


def available_cores() -> int:
    """Cores this process may use, which can be fewer than the machine has."""
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
    keep: Callable[[Sequence[Member], str, str], Keeper] | None = None,
) -> Iterator[Trained | NumericFailure]:
    """Train members of a cell, giving each one's result, in order, as soon as it is there.

    `observe` sees every evaluation; `start` gives a member's first weights in place of random ones.
    `keep` says, for members that are trained together and by what engine and device, where their
    training is kept so that it can go on if it is interrupted; that is removed once the result was
    taken and the next one is asked for.
    The population engine's results come some members at a time.

    Raises InputError for an engine that cannot do it or a device that this machine lacks.
    """
    chosen = choose(cell, engine, device, len(members))
    device = resolve_device(device)
    if chosen != "compiled" and device == "cpu" and (reason := compiled.unavailable()):
        _say_once(f"the compiled engine is missing, training is 10 to 100 times slower: {reason}\n")
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
            keep=(lambda some: keep(some, chosen, device)) if keep else None,
        )
        return
    if chosen == "compiled":
        from scaling.engines.compiled.engine import train_member  # numba, but no torch
    else:
        from scaling.engines.reference import train_member  # seconds to import

    for member in members:
        keeper = keep([member], chosen, device) if keep else None
        yield train_member(
            cell,
            member,
            data,
            device=device,
            epochs_evaluated=epochs_evaluated,
            observe=observe,
            start=start(member) if start else None,
            keeper=keeper,
        )
        if keeper:
            keeper.remove()


def warm_up(cells: Sequence[Cell], engine: str | None = None, device: str = "cpu") -> None:
    """Compile on this node what these cells need, which is said on stderr; once for all time."""
    for cell in cells:
        if choose(cell, engine, device) == "compiled":
            from scaling.engines.compiled.engine import warm_up as compile_for

            compile_for(cell)


@cache
def _say_once(line: str) -> None:
    sys.stderr.write(line)


__all__ = ["DEVICES", "NAMES", "Evaluation", "NumericFailure", "Trained", "choose", "train"]
