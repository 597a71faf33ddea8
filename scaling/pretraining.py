"""Weights to begin with that were trained on something else: once for each seed and node.

They are kept in the cache, as several cells begin with the same ones.
"""

import io
from functools import partial

import numpy as np

from scaling import cache, datasets, engines
from scaling.engines import Trained
from scaling.errors import InputError
from scaling.study import Cell, Member, make_members
from scaling.weights import Weights


def pretrained(cell: Cell, source: str, member: Member) -> Weights:
    """The weights of the member's seed after the training of `cell.start` on `source`.

    Raises InputError where that training fails.
    """
    assert cell.start
    (earlier,) = make_members(cell.start.recipe, [member.seed])
    with cache.locked(cell.start.run_id(earlier), "weights") as folder:
        path = folder.parent / f"{folder.name}.npz"
        if not path.exists():
            (result,) = engines.train(
                cell.start,
                [earlier],
                datasets.load(source, cell.start.n_train),
                epochs_evaluated=[],
            )
            if not isinstance(result, Trained):
                raise InputError(f"pretraining {cell.start.run_id(earlier)}: {result.error}")
            body = io.BytesIO()
            np.savez(body, **result.weights)  # type: ignore[arg-type]
            part = folder.parent / f"{folder.name}.part"
            part.write_bytes(body.getvalue())
            part.replace(path)
        with np.load(path) as stored:
            return dict(stored)


def start_of(cell: Cell, source: str) -> partial[Weights] | None:
    """What `engines.train` takes as `start`: None for a cell that begins with random weights."""
    return partial(pretrained, cell, source) if cell.start else None
