"""Sample stored models to train again, spread over cells and engines, by a seed."""

from collections.abc import Callable, Sequence
from itertools import zip_longest

import numpy as np

from scaling.verifying.again import Lot

BUDGET_S = 60.0  # assumed: as long as a user waits who named no number


def sample(
    lots: Sequence[Lot], seconds: Callable[[Lot], float], n: int | None, seed: int
) -> list[Lot]:
    """Return lots with `n` models or a few more, or as many as take a minute.

    Each engine and cell in turn gives one, so that a small sample holds many kinds. At least one
    is chosen, the cheapest if need be.
    """
    chosen: list[Lot] = []
    models, spent = 0, 0.0
    for lot in _spread(lots, seed):
        if n is not None and models >= n:
            break
        if n is None and spent + seconds(lot) > BUDGET_S:
            continue
        chosen.append(lot)
        models, spent = models + len(lot.models), spent + seconds(lot)
    if not chosen and lots and n != 0:
        chosen = [min(lots, key=seconds)]
    return chosen


def _spread(lots: Sequence[Lot], seed: int) -> list[Lot]:
    """Return all lots: first one of every engine and cell, then a second of each, and so on."""
    groups: dict[tuple[str, str], list[Lot]] = {}
    for lot in sorted(lots, key=lambda lot: lot.models[0].run_id):
        groups.setdefault((lot.engine, lot.cell.cell_id), []).append(lot)
    rng = np.random.default_rng(seed)
    shuffled = [
        [group[i] for i in rng.permutation(len(group))]
        for group in (list(groups.values())[i] for i in rng.permutation(len(groups)))
    ]
    return [lot for turn in zip_longest(*shuffled) for lot in turn if lot is not None]
