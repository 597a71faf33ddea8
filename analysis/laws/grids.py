"""The grids of starts of each form's search, at sizes and errors of about 1.

Shapes: S starts of P parameters.
"""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from analysis.arrays import Floats

EXPONENTS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
FLOORS = (1e-3, 0.1, 0.3, 0.6, 0.9)
POWER = [[1.0, alpha] for alpha in EXPONENTS]
POWER_FLOOR = [[1 - e, alpha, e] for alpha, e in product(EXPONENTS, FLOORS)]
ADDITIVE = [
    [(1 - e) * share, (1 - e) * (1 - share), e, alpha, beta]
    for e, share, alpha, beta in product(
        (1e-3, 0.3, 0.7, 0.9), (0.1, 0.5, 0.9), (0.1, 0.3, 0.6, 1.0), (0.1, 0.3, 0.6, 1.0)
    )
]
BNSL1 = [
    [(1 - e) * 2 ** ((beta - alpha) * f), alpha, beta, d, f, e]
    for alpha, beta, d, f, e in product(
        (0.02, 0.2, 0.6), (0.1, 0.4, 1.0, 2.0), (0.1, 0.5, 2.0, 10.0), (0.1, 0.7), (1e-3, 0.3)
    )
]


def fixed(starts: Sequence[Sequence[float]]) -> Callable[[float], Floats]:
    """Return a grid that is the same for every ceiling."""
    return lambda _ceiling: np.array(starts, float)


def logistic(c: float) -> Floats:
    """Return starts of curves through 1 at x = 1, with several slopes there."""
    return np.array(
        [[(1 - e) / (c - 1), alpha * c / (c - 1), e, c] for alpha, e in product(EXPONENTS, FLOORS)]
    )


def m4(c: float) -> Floats:
    """Return starts of curves through 1 at x = 1, as `logistic`, for several gammas."""
    return np.array(
        [
            [(1 - e) / (c - 1) ** g, alpha * (1 + g / (c - 1)), e, g, c]
            for alpha, e, g in product(EXPONENTS, FLOORS, (0.1, 0.5, 1.0, 2.0))
        ]
    )


def rosenfeld(c: float) -> Floats:
    """Return the starts of the additive form, scaled to an error of 1 at x = x2 = 1."""
    t = 1 / np.sqrt(1 - 1 / c**2)
    return np.array([[*np.array(s[:3]) * t, *s[3:], c] for s in ADDITIVE])
