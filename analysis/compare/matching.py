"""Which cells of two results folders belong together: the same cell, or its counterpart."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.cells import Measured

# What must agree, the strictest first. A pair is made only where it is the only one on both sides:
# of two recipes in each folder nobody can say which is meant to replace which.
SAME = "the same cell"
MATCHES = {
    SAME: ("cell_id", "lr", "weight_decay"),
    "defined otherwise": (
        *("dataset", "test_set_id", "split", "n_train", "width"),
        *("model", "recipe", "epochs", "batch_size"),
    ),
    "other test images": (
        *("dataset", "split", "n_train", "width"),
        *("model", "recipe", "epochs", "batch_size"),
    ),
    "another recipe": ("dataset", "test_set_id", "split", "n_train", "width"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """A cell of the first folder, one of the second, and in what they agree."""

    a: Measured
    b: Measured
    match: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matched:
    """Pairs in the order of the first folder, and what has no counterpart."""

    pairs: tuple[Pair, ...]
    only_a: tuple[Measured, ...]
    only_b: tuple[Measured, ...]


def match_cells(a: Sequence[Measured], b: Sequence[Measured]) -> Matched:
    """Pair the cells of two folders, each at most once."""
    pairs: list[Pair] = []
    left_a, left_b = list(a), list(b)
    for match, names in MATCHES.items():
        of_a, of_b = _unique(left_a, names), _unique(left_b, names)
        found = [Pair(a=of_a[key], b=of_b[key], match=match) for key in of_a if key in of_b]
        taken = {id(cell) for pair in found for cell in (pair.a, pair.b)}
        left_a = [cell for cell in left_a if id(cell) not in taken]
        left_b = [cell for cell in left_b if id(cell) not in taken]
        pairs += found
    place = {id(cell): i for i, cell in enumerate(a)}
    pairs.sort(key=lambda pair: place[id(pair.a)])
    return Matched(pairs=tuple(pairs), only_a=tuple(left_a), only_b=tuple(left_b))


def _unique(cells: Iterable[Measured], names: Sequence[str]) -> dict[tuple[object, ...], Measured]:
    """The cells by these fields, without those that share them with another."""
    found: dict[tuple[object, ...], list[Measured]] = {}
    for cell in cells:
        found.setdefault(tuple(getattr(cell, name) for name in names), []).append(cell)
    return {key: alike[0] for key, alike in found.items() if len(alike) == 1}
