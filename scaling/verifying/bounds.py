"""Bounds on the effect of other rounding, for each stored number of a model.

Rounding grows into another minimum of the same training, which is no further off than that of
another seed. The paired test compares the last misses of many models; this is for all numbers.
"""

import math
from collections.abc import Iterator
from typing import Any

from scaling.engines import NumericFailure, Trained
from scaling.verifying.folder import Row, Stored

Unequal = tuple[str, Any, Any]  # what, trained again, stored

FACTOR = 4.0  # assumed; measured: seeds of one cell (1989, 200 images) are up to 2.1 apart
SMALL_LOSS = 0.002  # assumed: added to both losses; one training image decides more than that
ERRORS = 6.0  # assumed: standard errors
SEED_SHARE = 0.10  # assumed: noise of a seed beside the binomial one, as a share of the misses


def beyond(model: Stored, result: Trained | NumericFailure) -> Iterator[Unequal]:
    """Give each loss and each count of misses that is further off than rounding can bring it."""
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
    """Whether two losses are within a factor of four."""
    if not isinstance(stored, int | float) or not math.isfinite(stored) or stored < 0:
        return False
    low, high = sorted((now, float(stored)))
    return high + SMALL_LOSS <= FACTOR * (low + SMALL_LOSS)


def near_misses(now: int, stored: Any, n: int) -> bool:
    """Whether two counts are within six standard errors, of the images drawn and of the seed."""
    if not isinstance(stored, int):
        return False
    mean = max((now + stored) / 2, 1.0)
    variance = 2 * (mean * max(1 - mean / n, 0.0) + (SEED_SHARE * mean) ** 2)
    return abs(now - stored) <= ERRORS * math.sqrt(variance)
