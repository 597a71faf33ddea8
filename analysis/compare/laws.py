"""The curves of two results folders at the sizes that both have: exponents and floors."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.arrays import Floats
from analysis.compare.matching import Pair
from analysis.laws.curves import DRAWN, REPLICATES, noise_of
from analysis.laws.fit import Fit, fit
from analysis.laws.forms import FORMS
from analysis.laws.limits import can_be_fitted, floor_of, limit_of, open_ended
from analysis.present.labels import in_common, labels
from analysis.results.cell_results import LEVEL, CellResult
from analysis.results.identity import curve_id, rates_of
from analysis.stats.bootstrap import crossed_bootstrap, error_floor

# What is compared of a law: its factor A means nothing beside another exponent.
COMPARED = ("alpha", "E")
SHOWN = ("dataset", "width", "epochs")  # beside a curve's title
Data = dict[str, Any]


def compare_laws(pairs: Sequence[Pair]) -> list[Data]:
    """A row for each form of each curve of three sizes that both folders have."""
    found: dict[tuple[object, ...], list[Pair]] = {}
    for pair in pairs:
        key = tuple(curve_id(cell.planned_cell) for cell in (pair.a, pair.b))
        found.setdefault((pair.match, *key), []).append(pair)
    curves = [curve for alike in found.values() for curve in _by_rates(alike)]
    rows = [_compare(curve) for curve in curves]
    facts = [in_common([of.facts for of in side]) for curve in curves for side in _sides(curve)]
    said = labels(facts, shown=SHOWN)
    for i, made in enumerate(rows):
        for row in made:
            row["titles"] = said[2 * i : 2 * i + 2]
    return [row for made in rows for row in made]


def _sides(pairs: Sequence[Pair]) -> tuple[list[CellResult], list[CellResult]]:
    return [pair.a for pair in pairs], [pair.b for pair in pairs]


def _by_rates(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Pairs of a curve, apart by learning rates where one size has several."""
    if len({pair.a.n_train for pair in pairs}) == len(pairs):
        return [list(pairs)]
    found: dict[tuple[object, ...], list[Pair]] = {}
    for pair in pairs:
        found.setdefault((rates_of(pair.a), rates_of(pair.b)), []).append(pair)
    return list(found.values())


def _compare(pairs: Sequence[Pair]) -> list[Data]:
    by_size = {pair.a.n_train: pair for pair in pairs}
    sizes = sorted(by_size)
    if len(by_size) < 3:
        return []
    first, second = pairs[0].a, pairs[0].b
    curves = [
        [by_size[size].a for size in sizes],
        [by_size[size].b for size in sizes],
    ]
    if not all(can_be_fitted(np.array([cell.error for cell in cells])) for cells in curves):
        return []
    known = not any(map(_limit, curves))  # else neither exponents nor floors can be told apart
    together = first.test_set_id == second.test_set_id
    drawn = _replicates(curves, together=together)
    rows = []
    for form in DRAWN:
        if len(sizes) >= max(3, FORMS[form].n_free):
            a, b = (_fit(sizes, *of, form) for of in zip(curves, drawn, strict=True))
            rows.append(
                {
                    "dataset": first.dataset,
                    "width": first.width,
                    "recipes": [first.recipe, second.recipe],
                    "models": [first.model, second.model],
                    "epochs": [first.epochs, second.epochs],
                    "n_train": sizes,
                    "form": form,
                    "title": FORMS[form].title,
                    "level": LEVEL,
                    "statuses": [a.status, b.status],
                    "params": {
                        name: _difference(a, b, name, known=known)
                        for name in COMPARED
                        if name in a.params
                    },
                }
            )
    return rows


def _replicates(curves: Sequence[Sequence[CellResult]], *, together: bool) -> list[Floats]:
    """On one draw of images, and of seeds that both have, where the test images are the same."""
    wrong = [[cell.wrong for cell in cells] for cells in curves]
    how: dict[str, Any] = {"replicates": REPLICATES, "level": LEVEL}
    if together:
        return crossed_bootstrap(wrong, **how)
    return [crossed_bootstrap([one], seed=seed, **how)[0] for seed, one in enumerate(wrong)]


def _fit(sizes: Sequence[int], cells: Sequence[CellResult], replicates: Floats, form: str) -> Fit:
    errors = np.maximum([cell.error for cell in cells], error_floor(cells[0].n_test))
    found = fit(list(sizes), errors, form=form, level=LEVEL, replicates=noise_of(replicates))
    return open_ended(found, _limit(cells), max(floor_of(cell.models, LEVEL) for cell in cells))


def _limit(cells: Sequence[CellResult]) -> float:
    return limit_of(np.array([cell.error for cell in cells]), cells[0].n_test, LEVEL)


def _difference(a: Fit, b: Fit, name: str, *, known: bool) -> Data:
    """Both values with their intervals, and B - A with that of its replicates.

    Where a replicate failed, those of the two fits belong together no more: no interval then.
    """
    column = FORMS[a.form].names.index(name)
    ends: list[float] | None = None
    if known and not a.n_failed and not b.n_failed and len(a.replicates):
        drawn = b.replicates[:, column] - a.replicates[:, column]
        low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        ends = [float(low), float(high)]
    return {
        "a": a.params[name],
        "b": b.params[name],
        "interval_a": list(a.intervals[name]),
        "interval_b": list(b.intervals[name]),
        "difference": b.params[name] - a.params[name],
        "interval": ends,
    }
