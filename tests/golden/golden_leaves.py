"""The leaves of JSON by their paths, and what may differ between two sets of them.

Keys may be added and never lost. Numbers must agree as `TOLERANCES` says; labels, verdicts and ids
exactly; sentences and whatever a second run changes are left out, by the names of their keys.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Leaf = str | int | float | bool | None

# Sentences for people, which may be put better.
PROSE = (
    *("against", "check", "claim", "figure", "note", "notes", "question", "reason"),
    *("source", "sources"),
)
# Paths and times of the run itself.
VOLATILE = ("command", "made_at", "out", "torn", "predicted_core_s")
# A row of a list goes by the first of these that all of its rows have, else by its place.
NAMES = ("id", "cell_id", "run_id", "form", "trick", "name", "study")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far a number may be from the stored one: the greater of both bounds."""

    where: str  # a regular expression of paths, with the name of the part before them
    relative: float
    absolute: float = 0.0


# Measured: the same folders under five kernels of OpenBLAS (OPENBLAS_CORETYPE Haswell, SkylakeX,
# Sandybridge, Prescott, Zen), numpy without AVX, and PyTorch without it. The first that holds.
TOLERANCES = (
    # Six parameters of seven sizes have several optima, so its ends are ill-determined: up to
    # 18 % of a standard error, a third of 1 % of an interval, 6e-4 of an error far ahead.
    Tolerance(
        where=r"form=bnsl1.*/(standard_errors|intervals|line|low|high|widened|p|p_held_out)\b",
        relative=0.4,
        absolute=2e-3,
    ),
    Tolerance(where=r"/far/(low|high)$", relative=1e-5, absolute=1e-6),  # the same form's, of all
    # A profile is flat at its best value: differences of nearly equal costs, up to 8e-5 of them.
    Tolerance(where=r"/trace/", relative=1e-3, absolute=1e-6),
    # Effects are sums in float32, and their ends go through 0: up to 7e-7.
    Tolerance(
        where=r"^(small|published) [^:]*: /(sections|claims|rows)/.*/(low|high|interval/\d)$",
        relative=1e-5,
        absolute=5e-6,
    ),
    # Whatever an optimizer found, or is drawn from it: up to 1.5e-6.
    Tolerance(
        where=r": /(claims|comparison|curves|fits|forecasts|frontier|future|laws|outlook|rows"
        r"|worth)/",
        relative=2e-5,
        absolute=1e-9,
    ),
    # Sums of PyTorch, in another order on another processor: up to 2e-7 after two epochs.
    Tolerance(where=r"^trained: .*_loss$", relative=1e-4),
)
# Counts and sums in float64; 0 may be 1e-14 instead.
EXACT = Tolerance(where="", relative=1e-9, absolute=1e-12)


def leaves(value: Any, path: str = "") -> dict[str, Leaf]:
    """Return every leaf that is compared, by its path."""
    return dict(_leaves(value, path))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Leaf]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key not in PROSE and key not in VOLATILE:
                yield from _leaves(item, f"{path}/{key}")
    elif isinstance(value, list):
        for name, item in zip(_names(value), value, strict=True):
            yield from _leaves(item, f"{path}/{name}")
    else:
        yield path, value


def _names(rows: list[Any]) -> list[str]:
    """Name rows by the first key that all of them have; equal names are counted."""
    analyses = all(isinstance(row, Mapping) and "analysis" in row for row in rows)
    for key in NAMES:
        if key == "id" and analyses:  # sections had no ids when these were stored
            continue
        found = [row.get(key) if isinstance(row, Mapping) else None for row in rows]
        if rows and all(isinstance(name, str) for name in found):
            before = [found[:place].count(name) for place, name in enumerate(found)]
            return [
                f"{key}={name}{f' ({n + 1})' if n else ''}"
                for name, n in zip(found, before, strict=True)
            ]
    return [str(place) for place in range(len(rows))]


def differences(name: str, stored: Mapping[str, Leaf], found: Mapping[str, Leaf]) -> Iterator[str]:
    """Give a line for each stored leaf that is lost or is another now."""
    for path, value in stored.items():
        here = f"{name}: {path}"
        if path not in found:
            yield f"{here}: stored {value!r}, found nothing"
        elif said := _difference(here, value, found[path]):
            yield f"{here}: {said}"


def _difference(path: str, stored: Leaf, found: Leaf) -> str | None:
    said = f"stored {stored!r}, found {found!r}"
    if not (_is_number(stored) and _is_number(found)):
        return None if stored == found and type(stored) is type(found) else said
    a, b = (float(value) for value in (stored, found))  # type: ignore[arg-type]
    allowed = tolerance(path)
    if math.isclose(a, b, rel_tol=allowed.relative, abs_tol=allowed.absolute):
        return None
    return (
        f"{said}: {abs(a - b):.2g} apart ({abs(a - b) / max(abs(a), abs(b)):.2g} of it), allowed"
        f" {allowed.absolute:g} or {allowed.relative:g} of it"
    )


def tolerance(path: str) -> Tolerance:
    """Return the first that holds for this path."""
    return next((each for each in TOLERANCES if re.search(each.where, path)), EXACT)


def _is_number(value: Leaf) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
