"""Engines: each trains members of one cell and returns what is worth storing.

Which engine did it never bears on identity, so engines must agree on every recipe that they share.
"""

import os
from collections.abc import Callable, Iterator, Sequence

from scaling.data import Dataset
from scaling.engines.result import Evaluation, NumericFailure, Trained
from scaling.errors import InputError
from scaling.study import Cell, Member

Observer = Callable[[Member, Evaluation], None]
NAMES = ("reference",)
DEVICES = ("cpu", "cuda")


def choose(cell: Cell, engine: str | None = None) -> str:
    """The fastest engine that can train this cell; there is one so far. Raises InputError."""
    del cell  # every engine so far trains every recipe
    if engine not in (None, *NAMES):
        raise InputError(f"unknown engine '{engine}': expected one of {', '.join(NAMES)}")
    return NAMES[0]


def us_per_example(cell: Cell) -> tuple[float, float]:
    """Microseconds on one core to train on one example, and to evaluate one, for predictions only.

    SCALING_US_PER_EXAMPLE overrides the first with what was measured on another machine.
    """
    grows = cell.architecture.n_macs / 63_660
    step = 450.0 if cell.recipe.optimizer == "adamw" else 350.0  # measured, one core, 2 GHz Xeon
    train = step / cell.recipe.batch_size + 90 * grows
    return float(os.environ.get("SCALING_US_PER_EXAMPLE", train)), 17 * grows


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
) -> Iterator[Trained | NumericFailure]:
    """Train members of a cell, giving each one's result, in order, as soon as it is there.

    `observe` sees every evaluation.

    Raises InputError for an unknown engine or a device that this machine lacks.
    """
    choose(cell, engine)
    from scaling.engines import reference  # torch takes seconds to import: only when it is used

    reference.check_device(device)
    for member in members:
        yield reference.train_member(
            cell, member, data, device=device, epochs_evaluated=epochs_evaluated, observe=observe
        )


__all__ = ["DEVICES", "NAMES", "Evaluation", "NumericFailure", "Trained", "choose", "train"]
