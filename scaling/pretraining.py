"""Initial weights from training on another data set, made once for each seed and node.

The cache keeps them, as several cells begin with the same ones.
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


def load_pretrained(cell: Cell, source: str, member: Member) -> Weights:
    """Return the weights of the member's seed after training `cell.start` on `source`.

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
    """Train a model that others begin with and return its weights, without the cache.

    Raises InputError where that training fails.
    """
    data = datasets.load(source, start.n_train)
    (result,) = engines.train(start, [member], data, epochs_evaluated=[])
    if not isinstance(result, Trained):
        raise InputError(f"pretraining {start.run_id(member)}: {result.error}")
    return result.weights


def start_of(cell: Cell, source: str) -> partial[Weights] | None:
    """Return the argument `start` of `engines.train`; None for a cell with random weights."""
    return partial(load_pretrained, cell, source) if cell.start else None
