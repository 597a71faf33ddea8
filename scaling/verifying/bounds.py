"""Bounds on the effect of different rounding, for each stored number of a model.

Rounding errors can lead training to another minimum, which is no further off than that of another
seed. The paired test compares the final misses of many models; these bounds are for all numbers.
"""

import math
from collections.abc import Iterator
from typing import Any

from scaling.engines import NumericFailure, Trained
from scaling.verifying.folder import Row, StoredModel

Unequal = tuple[str, Any, Any]  # name, value trained again, stored value

FACTOR = 4.0  # assumed; measured: losses of one cell's seeds (1989, 200 images) differ 2.1-fold
SMALL_LOSS = 0.002  # assumed: added to both losses; less than the effect of one training image
ERRORS = 6.0  # standard errors; assumed
SEED_SHARE = 0.10  # assumed: a seed's noise besides the binomial one, as a share of the misses


def beyond_bounds(model: StoredModel, result: Trained | NumericFailure) -> Iterator[Unequal]:
    """Yield each loss and each count of misses that differs by more than rounding can explain."""
    if isinstance(result, NumericFailure):
        return
    rows: dict[Any, Row] = {row["epoch"]: row for row in model.rows}
    for evaluation in result.history:
        row = rows.get(evaluation.epoch)
        for part in ("train", "val", "test"):
            score = getattr(evaluation, part)
            if row is None or score is None:
                continue
            loss, misses = row[f"{part}_loss"], row[f"{part}_misses"]
            if not near_loss(score.loss, loss):
                yield f"{part}_loss of epoch {evaluation.epoch}", score.loss, loss
            if not near_misses(score.misses, misses, score.n):
                yield f"{part}_misses of epoch {evaluation.epoch}", score.misses, misses


def near_loss(now: float, stored: Any) -> bool:
    """Return whether two losses are within a factor of four."""
    if not isinstance(stored, int | float) or not math.isfinite(stored) or stored < 0:
        return False
    low, high = sorted((now, float(stored)))
    return high + SMALL_LOSS <= FACTOR * (low + SMALL_LOSS)


def near_misses(now: int, stored: Any, n: int) -> bool:
    """Return whether two counts are within six standard errors of images and seed together."""
    if not isinstance(stored, int):
        return False
    mean = max((now + stored) / 2, 1.0)
    variance = 2 * (mean * max(1 - mean / n, 0.0) + (SEED_SHARE * mean) ** 2)
    return abs(now - stored) <= ERRORS * math.sqrt(variance)
