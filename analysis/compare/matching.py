"""Which cells of two results folders belong together: the same cell, or its counterpart."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from analysis.results.cell_results import CellResult
from analysis.results.identity import rates_of
from scaling.study import identity_without

Key = Callable[[CellResult], tuple[object, ...]]

# What must agree, the strictest first. A pair is made only where it is the only one on both sides:
# of two recipes in each folder, which one replaces which is unknown. A recipe's name is
# asked last: of two that share it, its contents say first which is which.
SAME = "the same cell"
OTHERWISE, OTHER_IMAGES = "defined otherwise", "other test images"
METHOD = ("model", "recipe", "epochs", "batch_size")
VERSIONS = ("data_version", "model_version", "test_set_id", "n_test")
MATCHES: tuple[tuple[str, Key], ...] = (
    (SAME, lambda cell: (cell.cell_id, cell.lr, cell.weight_decay)),
    (OTHERWISE, lambda cell: (cell.test_set_id, *_contents(cell))),
    (OTHERWISE, lambda cell: (cell.test_set_id, *_named(cell, METHOD))),
    (OTHER_IMAGES, lambda cell: _contents(cell)),
    (OTHER_IMAGES, lambda cell: _named(cell, METHOD)),
    ("another recipe", lambda cell: (cell.test_set_id, *_named(cell, ()))),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """A cell of the first folder, one of the second, and in what they agree."""

    a: CellResult
    b: CellResult
    match: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matched:
    """Pairs in the order of the first folder, and what has no counterpart."""

    pairs: tuple[Pair, ...]
    only_a: tuple[CellResult, ...]
    only_b: tuple[CellResult, ...]


def match_cells(a: Sequence[CellResult], b: Sequence[CellResult]) -> Matched:
    """Pair the cells of two folders, each at most once."""
    pairs: list[Pair] = []
    left_a, left_b = list(a), list(b)
    for match, key_of in MATCHES:
        of_a, of_b = _unique(left_a, key_of), _unique(left_b, key_of)
        found = [Pair(a=of_a[key], b=of_b[key], match=match) for key in of_a if key in of_b]
        taken = {id(cell) for pair in found for cell in (pair.a, pair.b)}
        left_a = [cell for cell in left_a if id(cell) not in taken]
        left_b = [cell for cell in left_b if id(cell) not in taken]
        pairs += found
    place = {id(cell): i for i, cell in enumerate(a)}
    pairs.sort(key=lambda pair: place[id(pair.a)])
    return Matched(pairs=tuple(pairs), only_a=tuple(left_a), only_b=tuple(left_b))


def _contents(cell: CellResult) -> tuple[object, ...]:
    """All that it is, but for what only counts versions and test images."""
    return (identity_without(cell.planned_cell, *VERSIONS), *rates_of(cell))


def _named(cell: CellResult, method: Sequence[str]) -> tuple[object, ...]:
    """Its place among sizes, and as much of its method as its names say."""
    names = ("dataset", "split", "n_train", "width", *method)
    return tuple(getattr(cell, name) for name in names)


def _unique(cells: Iterable[CellResult], key_of: Key) -> dict[tuple[object, ...], CellResult]:
    """The cells by this key, without those that share it with another."""
    found: dict[tuple[object, ...], list[CellResult]] = {}
    for cell in cells:
        found.setdefault(key_of(cell), []).append(cell)
    return {key: alike[0] for key, alike in found.items() if len(alike) == 1}
