"""Weights to begin with that were trained on something else: once for each seed and node.

They are kept in the cache, as several cells begin with the same ones.
"""

import io
from functools import partial

import numpy as np

from scaling import cache, engines
from scaling.data import datasets
from scaling.engines import Trained
from scaling.errors import InputError
from scaling.models.weights import Weights
from scaling.study import Cell, Member, make_members


def pretrained(cell: Cell, source: str, member: Member) -> Weights:
    """The weights of the member's seed after the training of `cell.start` on `source`.

    Raises InputError where that training fails.
    """
    assert cell.start
    (earlier,) = make_members(cell.start.recipe, [member.seed])
    with cache.locked(cell.start.run_id(earlier), "weights") as folder:
        path = folder.parent / f"{folder.name}.npz"
        if not path.exists():
            body = io.BytesIO()
            np.savez(body, **train_start(cell.start, source, earlier))  # type: ignore[arg-type]
            part = folder.parent / f"{folder.name}.part"
            part.write_bytes(body.getvalue())
            part.replace(path)
        with np.load(path) as stored:
            return dict(stored)


def train_start(start: Cell, source: str, member: Member) -> Weights:
    """Train a model that others begin with, without the cache, and return its weights.

    Raises InputError where that training fails.
    """
    data = datasets.load(source, start.n_train)
    (result,) = engines.train(start, [member], data, epochs_evaluated=[])
    if not isinstance(result, Trained):
        raise InputError(f"pretraining {start.run_id(member)}: {result.error}")
    return result.weights


def start_of(cell: Cell, source: str) -> partial[Weights] | None:
    """What `engines.train` takes as `start`: None for a cell that begins with random weights."""
    return partial(pretrained, cell, source) if cell.start else None
