"""The prediction interval of one run, to compare a published one-run figure with.

One run has the noise of a fresh seed (subset, weights, luck) and of the test images it happens to
be tested on. The mean over seeds has neither, so its interval is not that of one run.

Shapes: S seeds, R draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.stats.bootstrap import is_thin

LEVEL = 0.95
DRAWS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionInterval:
    """The prediction interval of one run's misses; bounds are counts that may occur."""

    low: int
    high: int
    n: int  # images it is tested on
    level: float

    def contains(self, misses: int) -> bool:
        """Return whether a count lies within the interval."""
        return self.low <= misses <= self.high


def prediction_interval(
    misses: Sequence[int], n_images: int, n_drawn: int | None = None, level: float = LEVEL
) -> PredictionInterval | None:
    """Return the interval of a new seed's misses on `n_drawn` random ones of `n_images` images.

    `misses` are those of S seeds on all `n_images`. A new seed is one of these, drawn at random:
    they need not be normal, and one that hardly learned moves the upper end only. As S seeds show
    (S-1)/S of their variance and their mean only to within 1/S of it, deviations from the median
    are widened by sqrt((S+1)/(S-1)), and by the ratio of the t quantile with S-1 degrees of freedom
    to the normal one. Given its misses of all images, those among `n_drawn` of them, drawn without
    replacement, are hypergeometric. Where the mean is below one miss, a new seed may miss as many
    as images without a miss leave open.
    None with one seed, whose noise is unknown, or with fewer images than drawn.
    """
    n_drawn = n_images if n_drawn is None else n_drawn
    n_S = len(misses)
    if n_S < 2 or n_drawn > n_images:
        return None
    rng = np.random.default_rng(0)
    tail = (1 + level) / 2
    widen = np.sqrt((n_S + 1) / (n_S - 1)) * stats.t.ppf(tail, n_S - 1) / stats.norm.ppf(tail)
    middle = float(np.median(misses))
    new = middle + widen * (rng.choice(np.asarray(misses, float), DRAWS) - middle)
    new_R = np.clip(np.rint(new), 0, n_images).astype(int)
    if is_thin(float(np.mean(misses)) / n_images, n_images):
        unseen_R = rng.beta(1, n_images, DRAWS)
        new_R = np.maximum(new_R, rng.binomial(n_images, unseen_R))
    drawn_R = rng.hypergeometric(new_R, n_images - new_R, n_drawn)
    low, high = np.quantile(drawn_R, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return PredictionInterval(low=int(low), high=int(high), n=n_drawn, level=level)
