"""Curves that no fitted form describes, drawn at random, with the noise of a study.

Each family gives log errors, up to a constant, at u = ln(size / the largest that is fitted), up to
ratios of 8. They were written down before any forecast of them was made; the ranges are assumed.
"""

from collections.abc import Callable

import numpy as np

AHEAD = np.log(8)
N_TEST, SEEDS, SEED_SD = 10_000, 5, 0.05

Curve = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def _exponent(rng: np.random.Generator) -> float:
    return float(rng.uniform(0.15, 0.7))


def _bend(u: np.ndarray, at: float, width: float) -> np.ndarray:
    """Return 0 before `at`, with a slope of 1 after it."""
    return width * np.logaddexp(0, (u - at) / width)


def one_break(rng: np.random.Generator, u: np.ndarray) -> np.ndarray:
    """Draw a place inside of the fitted sizes or, as often, ahead of them."""
    first, second = _exponent(rng), _exponent(rng)
    at, width = rng.uniform(-AHEAD, AHEAD), rng.uniform(0.1, 0.5)
    return -first * u - (second - first) * _bend(u, at, width)


def two_breaks(rng: np.random.Generator, u: np.ndarray) -> np.ndarray:
    """Draw one place inside of the fitted sizes, and one ahead."""
    first, second, third = (_exponent(rng) for _ in range(3))
    inside, ahead, width = rng.uniform(-AHEAD, 0), rng.uniform(0, AHEAD), rng.uniform(0.1, 0.5)
    bent = -first * u - (second - first) * _bend(u, inside, width)
    return bent - (third - second) * _bend(u, ahead, width)


def logistic(rng: np.random.Generator, u: np.ndarray) -> np.ndarray:
    """From a ceiling that is not that of ten classes down to a floor."""
    floor, middle = rng.uniform(0, 0.03), rng.uniform(-2 * AHEAD, 0)
    return np.log(floor + 1 / (1 + np.exp(rng.uniform(0.5, 1.2) * (u - middle))))


def drifting(rng: np.random.Generator, u: np.ndarray) -> np.ndarray:
    """The exponent changes by up to 0.06 with every factor of e."""
    return -_exponent(rng) * u - rng.uniform(-0.06, 0.06) * u**2 / 2


def logarithmic(rng: np.random.Generator, u: np.ndarray) -> np.ndarray:
    """A power of the logarithm of the size."""
    return -rng.uniform(1, 4) * np.log1p(u / rng.uniform(4, 9))


def exponential(rng: np.random.Generator, u: np.ndarray) -> np.ndarray:
    """A stretched exponential down to a floor."""
    power, scale = rng.uniform(0.2, 0.5), rng.uniform(0.5, 2)
    floor = rng.uniform(0.1, 0.5) * np.exp(-scale)
    return np.log(floor + np.exp(-scale * np.exp(power * u)))


def falling_floor(rng: np.random.Generator, u: np.ndarray) -> np.ndarray:
    """A power law down to a floor that itself falls slowly."""
    share = rng.uniform(0.1, 0.6)
    return np.log(share * np.exp(-0.05 * u) + (1 - share) * np.exp(-_exponent(rng) * u))


def waving(rng: np.random.Generator, u: np.ndarray) -> np.ndarray:
    """A power law with a wave of up to 5 %."""
    wave = np.sin(rng.uniform(1, 3) * u + rng.uniform(0, 2 * np.pi))
    return -_exponent(rng) * u + rng.uniform(0, 0.05) * wave


FALSE: dict[str, Curve] = {
    family.__name__: family
    for family in (
        one_break,
        two_breaks,
        logistic,
        drifting,
        logarithmic,
        exponential,
        falling_floor,
        waving,
    )
}


def power_law(rng: np.random.Generator, u: np.ndarray) -> np.ndarray:
    return -_exponent(rng) * u


def measured(
    curve: Curve, sizes: np.ndarray, largest: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Errors at these sizes as a study measures them, with their standard errors.

    At the largest fitted size the error is 1 to 30 %; the noise is that of N_TEST test images and
    of SEEDS seeds that differ by SEED_SD.
    """
    u = np.log(sizes / largest)
    log_y = curve(rng, u)
    log_y += np.log(rng.uniform(0.01, 0.3)) - np.interp(0, u, log_y)
    y = np.minimum(np.exp(log_y), 0.89)
    se = np.sqrt(y * (1 - y) / N_TEST + (y * SEED_SD) ** 2 / SEEDS)
    return np.clip(y + se * rng.standard_normal(len(y)), 0.5 / N_TEST, 1), se
