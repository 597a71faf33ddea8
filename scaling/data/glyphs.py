"""The handwritten forms of the digits that `strokes` draws, as polygons on a 10 by 16 grid.

A form is one or more pen strokes, separated by `|`; a stroke is its control points `x,y`, x to
the right, y down. The pen starts at the first point, ends at the last, and in between runs through
the *midpoints* of neighbours, pulled towards the points themselves (quadratic Bezier arcs with
implied on-curve points, as in TrueType outlines), so that a stroke whose points move at random
stays smooth. A point followed by `!` counts twice, which makes it a corner.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# digit: (share of writers who prefer the form, strokes). Assumed, after looking at MNIST and USPS.
GLYPHS: dict[int, tuple[tuple[float, str], ...]] = {
    0: (
        (0.50, "5,0 0,0 0,16 10,16 10,0 5,0"),
        (0.30, "7,1 4,-1 0,2 -1,12 3,17 9,16 11,6 9,-1 5,0 4,2"),  # overlapping start
        (0.15, "9,3 8,0 0,-1 0,16 10,17 10,2 7,0 2,1"),  # closing stroke passes over the top
        (0.05, "5,0 0,0 0,16 10,16 10,0 5,0 | 9,2 1,14"),  # slashed
    ),
    1: (
        (0.60, "5,0 5,16"),
        (0.25, "3,5 5,3 6,0! 6,16"),  # flag
        (0.10, "3,5 5,3 6,0! 6,16 | 2,16 10,16"),  # flag and base
        (0.05, "1,8 4,5 6,0! 6,16"),  # long flag
    ),
    2: (
        (0.35, "1,4 1,-1 9,-1 10,5 8,9 0,16! 10,16"),
        (0.35, "1,4 2,0 9,-2 10,6 6,12 1,17 0,13 4,12 6,16 10,15"),  # looped foot
        (0.20, "1,3 4,-1 10,-1 9,7 4,12 0,16! 4,14 7,17 11,15"),  # waved foot
        (0.10, "1,1 9,0! 7,5 0,16! 10,16"),  # angular, as a Z
    ),
    3: (
        (0.45, "0,3 3,-1 10,-1 10,6 4,7! 10,7 10,15 4,17 0,14"),
        (0.25, "0,3 3,-1 10,-1 9,5 6,8 3,7 5,6 10,8 10,15 4,17 0,14"),  # small loop in the middle
        (0.15, "0,3 3,-1 10,-1 9,6 4,8 10,8 10,15 4,17 0,14"),  # shallow waist
        (0.15, "1,0 9,0! 4,6! 10,6 11,16 3,17 0,14"),  # flat top
    ),
    4: (
        (0.40, "2,0 1,5 0,9! 10,9 | 8,1 7,16"),  # open, angular
        (0.20, "1,0 -1,9 4,10 8,7 | 9,0 8,16"),  # open, as a y
        (0.20, "7,0 0,10! 10,10 | 7,0 7,16"),  # closed, two strokes
        (0.12, "7,16 7,0! 0,10! 10,10"),  # closed, one stroke
        (0.08, "6,0 0,10! 11,10 | 7,5 7,16"),  # the stem begins half way
    ),
    5: (
        (0.35, "2,0 1,7! 4,5 10,5 10,15 4,17 0,14 | 2,0 9,0"),  # the hat last
        (0.35, "9,0 2,0! 1,7! 4,5 10,5 10,15 4,17 0,14"),
        (0.20, "9,0 2,-1 0,6 9,7 11,14 5,17 0,15"),  # as an S
        (0.10, "9,0 3,0! 1,7 8,6 10,10 9,16 4,17 0,15"),
    ),
    6: (
        (0.45, "8,0 3,2 0,8 0,16 5,16 10,16 9,8 5,8 1,8 0,12"),
        (0.35, "6,0 1,8 0,16 5,16 9,16 9,8 5,9 1,12"),  # straight stem
        (0.20, "9,2 7,-1 0,1 0,10 0,16 5,16 10,16 9,8 5,8 1,8 1,12"),  # hooked top
    ),
    7: (
        (0.40, "0,0 10,0! 4,16"),
        (0.20, "0,1 10,0! 5,7 4,16"),  # curved stem
        (0.15, "0,0 10,0! 4,16 | 2,8 8,8"),  # bar
        (0.15, "0,3 0,0! 10,0! 5,8 4,16"),  # serif
        (0.10, "0,2 3,-1 6,2 10,0! 4,16"),  # waved top
    ),
    8: (
        (0.55, "8,2 5,-1 0,0 1,6 9,9 11,14 5,18 -1,15 1,9 9,6 10,0 6,0"),  # one stroke from the top
        (0.20, "5,0 1,0 1,7 9,7 9,0 5,0 | 5,7 0,7 0,16 10,16 10,7 5,7"),  # two circles
        (0.25, "9,1 5,-1 0,1 2,6 9,9 11,15 4,18 -1,14 2,9 8,6 10,2"),  # open at the top
    ),
    9: (
        (0.35, "9,3 8,0 1,-1 0,5 2,10 9,8 9,2! 9,16"),  # straight tail
        (0.25, "9,4 8,0 1,-1 0,5 2,10 9,8 9,2! 9,8 8,17 2,16"),  # curved tail
        (0.25, "9,3 6,-1 0,-1 0,8 6,8 9,5 9,2 9,10 6,16"),  # round, one sweep
        (0.10, "9,2 3,-1 0,3 2,8 7,7 9,2! 5,16"),  # slanting tail
        (0.05, "9,3 8,0 1,-1 0,5 2,9 9,8 9,2! 9,15 5,18 2,14 8,12"),  # looped tail
    ),
}


class Tables(NamedTuple):
    """The forms as arrays, for compiled code: F forms of at most P points and S strokes.

    Units: points in heights of the digit, the middle of the grid at 0.
    """

    points: NDArray[np.float64]  # (F, P, 2), padded with 0
    ends: NDArray[np.int64]  # (F, S + 1): stroke s is the points ends[s] .. ends[s + 1] - 1
    shares: NDArray[np.float64]  # (F,), cumulative within a digit
    first: NDArray[np.int64]  # (11,): digit d has the forms first[d] .. first[d + 1] - 1


def _strokes(text: str) -> list[list[tuple[float, float]]]:
    strokes = []
    for stroke in text.split("|"):
        points: list[tuple[float, float]] = []
        for word in stroke.split():
            x, y = map(float, word.rstrip("!").split(","))
            points += [(x, y)] * (2 if word.endswith("!") else 1)
        if len(points) == 2:  # a straight stroke gets a middle, so that it can bend
            (x0, y0), (x1, y1) = points
            points.insert(1, ((x0 + x1) / 2, (y0 + y1) / 2))
        strokes.append(points)
    return strokes


def tables() -> Tables:
    """Return GLYPHS as arrays."""
    forms = [_strokes(text) for digit in range(10) for _, text in GLYPHS[digit]]
    points = np.zeros((len(forms), max(sum(map(len, form)) for form in forms), 2))
    ends = np.zeros((len(forms), max(map(len, forms)) + 1), np.int64)
    for f, form in enumerate(forms):
        flat = np.array([point for stroke in form for point in stroke])
        points[f, : len(flat)] = (flat - (5, 8)) / 16
        ends[f, 1 : len(form) + 1] = np.cumsum([len(stroke) for stroke in form])
        ends[f, len(form) + 1 :] = len(flat)  # strokes of no points
    shares = np.concatenate([np.cumsum([share for share, _ in GLYPHS[d]]) for d in range(10)])
    first = np.cumsum([0, *(len(GLYPHS[d]) for d in range(10))])
    return Tables(points, ends, shares, first)
