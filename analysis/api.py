"""Return the results of the analysis to the command line, as plain rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.compare.page import NUMBERS, PAGE, TEXT
from analysis.compare.page import write_comparison as compare_folders
from analysis.effects.tuning import find_tunings, tuning_json
from analysis.forecasts.backtest import Rolling, validate
from analysis.forecasts.preregistered import forecast_cells
from analysis.laws.curves import find_curves, series_of
from analysis.laws.forms import FORMS, find_form
from analysis.laws.points import read_series
from analysis.laws.tabular import fit_points as fit_each
from analysis.present.style import as_png, as_svg
from analysis.report.build import report
from analysis.report.digits import TestImages
from analysis.report.numbers import fit_row, plain
from analysis.report.output import find_output
from analysis.report.tuning_figure import response_figure
from analysis.results.load import Results, load
from scaling.errors import InputError
from scaling.store.store import Store

__all__ = [
    "Rolling",
    "find_output",
    "fit_points",
    "fit_results",
    "load",
    "predict_cells",
    "validate_points",
    "validate_results",
    "write_comparison",
    "write_report",
    "write_tuning",
]

Progress = Callable[[str], None]


def fit_results(results: Results, form: str | None = None) -> list[dict[str, Any]]:
    """Return a row for each curve and form of a results folder."""
    alone = tuple(name for name, found in FORMS.items() if found.variables == 1)
    forms = alone if form is None else (find_form(form).name,)
    return [
        fit_row(curve.fixed, fit) for curve in find_curves(results, forms) for fit in curve.fits
    ]


def fit_points(path: str, *, x: str | None, y: str | None, **options: Any) -> list[dict[str, Any]]:
    """Return a row for each group of points. Raises InputError for points that cannot be fitted."""
    if not (x and y):
        raise InputError("fit --points FILE needs --x COL (sizes) and --y COL (errors)")
    rows: list[dict[str, Any]] = plain(fit_each(path, x=x, y=y, **options))
    return rows


def validate_results(results: Results, rolling: Rolling, progress: Progress) -> dict[str, Any]:
    """Return scores of extrapolation within a results folder's own curves."""
    curves = [series_of(curve) for curve in find_curves(results, ())]
    scores: dict[str, Any] = plain(validate(curves, rolling=rolling, progress=progress))
    return scores


def validate_points(
    path: str,
    *,
    x: str | None,
    y: str | None,
    se: str | None = None,
    group: Sequence[str] = (),
    split: str | None = None,
    rolling: Rolling,
    progress: Progress,
) -> dict[str, Any]:
    """Return scores of extrapolation on points of a file. Raises InputError for unusable points."""
    if not (x and y):
        raise InputError("validate --points FILE needs --x COL (sizes) and --y COL (errors)")
    curves = read_series(path, x=x, y=y, se=se, group=group, split=split)
    how: dict[str, Any] = {"rolling": rolling, "split": split is not None, "progress": progress}
    scores: dict[str, Any] = plain(validate(curves, **how))
    return scores


def predict_cells(
    results: Results, plan: Mapping[str, Any], *, wanted: Sequence[str], fit_to: int | None
) -> list[dict[str, Any]]:
    """Write forecasts of the plan's cells into the results folder; return a row for each cell."""
    rows: list[dict[str, Any]] = plain(forecast_cells(results, plan, wanted=wanted, fit_to=fit_to))
    return rows


def write_report(
    results: Results, html: str | None = None, test_images: TestImages | None = None
) -> list[str]:
    """Write the report; return the paths of its three files, or of the page alone."""
    report(results, html=html, test_images=test_images)
    return _paths(results.store, html, "report.html", "report.md", "numbers.json")


def write_comparison(a: Results, b: Results, html: str | None = None) -> list[str]:
    """Write a comparison of folder B with A into A; return the paths of its three files."""
    compare_folders(a, b, html=html)
    return _paths(a.store, html, PAGE, TEXT, NUMBERS)


def _paths(store: Store, html: str | None, page: str, *others: str) -> list[str]:
    if html is None:
        return [store.address(name) for name in (page, *others)]
    beside = others if find_output(store, html).unwritable is None else ()
    return [html, *map(store.address, beside)]


def write_tuning(store: Store, name: str) -> tuple[dict[str, Any], list[str]]:
    """Write a tuning's results and its figure; return the summary and the paths of the files."""
    results = load(store)
    (tuned,) = (tuned for tuned in find_tunings(results) if tuned.name == name)
    paths = [f"tuning/{name}.json"]
    store.write_file(paths[0], tuning_json(tuned))
    if tuned.done:
        figure = response_figure(tuned)
        for path, body in (
            (f"figures/tuning_{name}.svg", as_svg(figure)),
            (f"figures/tuning_{name}.png", as_png(figure)),
        ):
            store.write_file(path, body)
            paths.append(path)
    return tuned.summary(), [store.address(path) for path in paths]
