"""Labels and legends of any length in figures whose axes keep their share.

A label that is too long is wrapped, and then loses its middle; the tables beside the figures have
it in full. A legend goes below the axes where it would cover them.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

SHARE = 0.62  # of a figure's width and height that axes keep, with room for rounding to 0.6
TICKS = 0.31  # of a figure's width that labels of rows may take
POINTS = 72.0  # an inch
LINE = 1.2  # of a font's size, from one line to the next
HANDLE = 0.6  # inches, at size 8: a legend's line and the space around it
AROUND = 0.75  # inches above and below axes for ticks and their label
MOST = 24  # entries of a legend: more colours cannot be distinguished
INSIDE = 4  # entries of a legend that may lie in the axes, if they are short
NARROW = 4.5  # inches of width below which a legend has one column
PART = 0.45  # of a figure's width that a legend in the axes may take


@cache
def inches(text: str, size: float) -> float:
    """Return the width of a line of text."""
    prop = FontProperties(family="DejaVu Sans", size=size)
    width: float = text_to_path.get_text_width_height_descent(text, prop, ismath=False)[0]
    return width / POINTS


def shorten(text: str, wide: float, size: float, lines: int = 1) -> str:
    """Return the text within so many lines, `wide` inches each, without its middle if needed.

    Whole words are left out; letters only where its first and last word alone do not fit.
    """
    found = _wrapped(text, wide, size)
    if len(found) <= lines:
        return "\n".join(found)
    words = text.split(" ")
    for kept in range(len(words) - 1, 1, -1):
        head, tail = words[: -(-kept // 2)], words[len(words) - kept // 2 :]
        found = _wrapped(" ".join([*head, "…", *tail]), wide, size)
        if len(found) <= lines:
            return "\n".join(found)
    kept_letters, best = range(1, len(text)), "…"
    while kept_letters:
        middle = kept_letters[len(kept_letters) // 2]
        head_text = text[: -(-middle // 2)].rstrip()
        tail_text = text[len(text) - middle // 2 :].lstrip() if middle > 1 else ""
        found = _wrapped(f"{head_text}…{tail_text}", wide, size)
        if len(found) <= lines:
            best, kept_letters = "\n".join(found), range(middle + 1, kept_letters.stop)
        else:
            kept_letters = range(kept_letters.start, middle)
    return best


def distinct_labels(labels: Sequence[str], wide: float, size: float, lines: int = 1) -> list[str]:
    """Return the labels within so many lines each, or more where two would be equal."""
    for most in range(lines, lines + 8):
        shown = [shorten(label, wide, size, most) for label in labels]
        if len(set(shown)) == len(set(labels)):
            break
    return shown


def row_labels(fig: Figure, labels: Sequence[str], size: float = 9, lines: int = 2) -> list[str]:
    """Return labels of rows, wrapped to their part of the figure; existing line ends stay."""
    wide = TICKS * fig.get_figwidth()
    plain = [label for label in labels if "\n" not in label]
    shown = dict(zip(plain, distinct_labels(plain, wide, size, lines), strict=True))
    for label in set(labels) - set(plain):
        shown[label] = "\n".join(shorten(part, wide, size) for part in label.split("\n"))
    return [shown[label] for label in labels]


def place_legend(
    fig: Figure,
    ax: Any,
    *,
    handles: Sequence[Any] = (),
    inside: bool = False,
    where: str = "outside lower left",
    size: float = 8,
    across: int = 2,
) -> None:
    """Place the legend of `ax` (or of `handles`) outside, in columns, and enlarge the figure.

    With `inside` it lies in the axes, if its entries are few and short.
    """
    handles = list(handles) or ax.get_legend_handles_labels()[0]
    labels = [handle.get_label() for handle in handles]
    if inside and fits_inside(fig, labels):
        ax.legend(handles, labels, frameon=False)
    elif labels:
        handles, labels, across, high = columns(fig, handles, labels, size, across)
        make_room(fig, [high])
        how: Any = {"ncols": across, "loc": where, "fontsize": size}
        fig.legend(handles, labels, frameon=False, **how)


def fits_inside(fig: Figure, labels: Sequence[str], size: float = 9) -> bool:
    """Return whether a legend of these entries leaves the axes enough space."""
    short = all(inches(label, size) + HANDLE <= PART * fig.get_figwidth() for label in labels)
    return short and len(labels) <= INSIDE


def columns(
    fig: Figure,
    handles: Sequence[Any],
    labels: Sequence[str],
    size: float = 8,
    across: int = 2,
    margin: float = 0.2,
) -> tuple[list[Any], list[str], int, float]:
    """Return handles and labels of a legend, its number of columns, and its height in inches.

    `margin` is the width in inches beside the legend.
    """
    across = across if fig.get_figwidth() >= NARROW else 1
    left = len(labels) - MOST
    handles, labels = list(handles)[:MOST], list(labels)[:MOST]
    if left > 0:
        labels[-1] = f"{labels[-1]} (and {left} more)"
    rows = -(-len(labels) // across)
    lines = 2 if rows <= INSIDE else 1
    wide = (fig.get_figwidth() - margin) / across - HANDLE * size / 8
    shown = distinct_labels(labels, wide, size, lines)
    most = max((label.count("\n") + 1 for label in shown), default=0)
    return handles, shown, across, rows * (most * LINE + 0.5) * size / POINTS + 0.15


def make_room(fig: Figure, high: Sequence[float]) -> None:
    """Enlarge the figure until legends of these heights, one a panel, leave axes their share."""
    needed = sum(AROUND + one for one in high) / (1 - SHARE)
    fig.set_figheight(max(fig.get_figheight(), needed))


def _wrapped(text: str, wide: float, size: float) -> list[str]:
    """Return lines of words; a word longer than a line is broken."""
    found = [""]
    for word in text.split(" "):
        joined = f"{found[-1]} {word}" if found[-1] else word
        if inches(joined, size) <= wide:
            found[-1] = joined
            continue
        if found[-1]:
            found.append("")
        for letter in word:
            if found[-1] and inches(found[-1] + letter, size) > wide:
                found.append("")
            found[-1] += letter
    return found
