"""Checks of the numbers that a caller gives, before any fit.

Shapes: N points; V variables.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from analysis.arrays import Floats
from analysis.laws.forms import Form
from scaling.errors import InputError

LOW, HIGH = 1e-30, 1e30  # of sizes and errors: their 10th powers must be floats
MOST = 100_000  # points: their replicates take minutes and gigabytes beyond (measured)
HIGHEST = 1e6  # of a ceiling, in largest errors: well within the bounds of the search
DISTINCT = 3  # sizes of each variable of a joint form: a constant, a factor and an exponent


def numbers(what: str, values: Any) -> Floats:
    """Return floats; masked values become NaN. Raises InputError for dates and words."""
    try:
        given = np.ma.asarray(values)
        if given.dtype.kind in "bcMm":
            raise InputError(f"{what} must be numbers, got {given.dtype.name}")
        floats: Floats = np.ma.filled(given.astype(float), np.nan)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} must be numbers ({error})") from error
    return floats


def check_level(level: float) -> float:
    """Return the level. Raises InputError unless it is a share, such as 0.9."""
    if not (isinstance(level, int | float | np.number) and 0 < level < 1):
        raise InputError(f"level {level}: expected a share between 0 and 1, such as 0.9")
    return float(level)


def check_many(points: int) -> None:
    """Raise InputError for more points than can be resampled."""
    if points > MOST:
        raise InputError(
            f"{points:,} points, expected at most {MOST:,}: average those of like size first"
        )


def curve_numbers(
    x: ArrayLike | Sequence[ArrayLike], y: ArrayLike, se: ArrayLike | None
) -> tuple[Floats, Floats, Floats | None]:
    """Return sizes (V, N), errors (N,) and their standard errors.

    Raises InputError for other shapes.
    """
    what = "fit: sizes and errors"
    x_VN, y_N = np.atleast_2d(numbers(what, x)), numbers(what, y)
    se_N = None if se is None else numbers(what, se)
    fits = y_N.ndim == 1 and x_VN.shape in ((1, len(y_N)), (2, len(y_N)))
    if not fits or (se_N is not None and se_N.shape != y_N.shape):
        raise InputError(
            f"fit: x of shape {x_VN.shape} and y of {y_N.shape}"
            + ("" if se_N is None else f", se of {se_N.shape}")
            + ", expected equal vectors, or a pair (x, x2) of such"
        )
    check_many(len(y_N))
    return x_VN, y_N, se_N


def check_curve(form: Form, x_VN: Floats, y_N: Floats, se_N: Floats | None) -> None:
    """Raise InputError for a curve that this form cannot fit."""
    if len(x_VN) != form.variables:
        raise InputError(
            f"fit: {form.name} is of {form.variables} variable(s), got {len(x_VN)}:"
            f" give {'x alone' if form.variables == 1 else 'x and x2'}, or another form"
        )
    check_positive("fit", x=x_VN, y=y_N, se=se_N)
    distinct = len(np.unique(x_VN, axis=1).T)
    if distinct < form.n_free:
        raise InputError(
            f"fit: {distinct} sizes for the {form.n_free} parameters of {form.name}:"
            " give more sizes, or a form with fewer parameters"
        )
    if form.variables == 2:
        _check_apart(form, x_VN)


def check_positive(what: str, **columns: Floats | None) -> None:
    """Raise InputError for values without a logarithm, or whose powers are no floats."""
    for name, values in columns.items():
        if values is None:
            continue
        bad = values[~(np.isfinite(values) & (values > 0))]
        if len(bad):
            raise InputError(f"{what}: {name} must be positive and finite, got {_some(bad)}")
        least = 0.0 if name == "se" else LOW
        bad = values[(values < least) | (values > HIGH)]
        if len(bad):
            raise InputError(
                f"{what}: {name} must lie within {least:g} and {HIGH:g}, got {_some(bad)}: choose"
                " another unit"
            )


def check_ceiling(form: Form, ceiling: float | None, y_N: Floats) -> None:
    """Raise InputError for an impossible ceiling."""
    if ceiling is None or not form.has_ceiling:
        return
    top, most = float(numbers("fit: ceiling", ceiling)), float(y_N.max())
    if not most < top <= HIGHEST * most:
        raise InputError(
            f"fit: ceiling {top:g} must exceed the largest error, {most:g}, by a factor of at most"
            f" {HIGHEST:,.0f}"
        )


def _check_apart(form: Form, x_VN: Floats) -> None:
    """Raise InputError unless both variables vary, and independently."""
    for name, row in zip(("x", "x2"), x_VN, strict=True):
        if len(np.unique(row)) < DISTINCT:
            raise InputError(
                f"fit: {len(np.unique(row))} values of {name}, {form.name} takes {DISTINCT} of"
                " each: give more, or fit the other variable alone"
            )
    log_x = np.log(x_VN)
    if np.linalg.matrix_rank(log_x - log_x.mean(axis=1, keepdims=True), tol=1e-6) < 2:
        raise InputError(
            "fit: x2 is a power of x, so that their parts cannot be told apart: fit x alone"
        )


def _some(values: Floats) -> str:
    shown = ", ".join(f"{value:g}" for value in values[:3])
    return shown + (f" and {len(values) - 3} more" if len(values) > 3 else "")
