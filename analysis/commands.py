"""What the command line asks of the analysis, as plain rows."""

from collections.abc import Sequence
from typing import Any

from analysis.curves import find_curves
from analysis.digits import TestImages
from analysis.forms import FORMS, find_form
from analysis.load import Results, load
from analysis.numbers import fit_row
from analysis.points import fit_points as fit_each
from analysis.report import report
from analysis.response import response_figure
from analysis.style import as_png, as_svg
from analysis.tuning import find_tunings
from analysis.tuning import write_tuning as write_summary
from scaling.errors import InputError
from scaling.store import Store

__all__ = ["fit_points", "fit_results", "load", "write_report", "write_tuning"]


def fit_results(results: Results, form: str | None = None) -> list[dict[str, Any]]:
    """A row for each curve and form of a results folder."""
    forms = tuple(FORMS) if form is None else (find_form(form).name,)
    return [
        fit_row(curve.fixed, fit) for curve in find_curves(results, forms) for fit in curve.fits
    ]


def fit_points(
    path: str,
    *,
    x: str | None,
    y: str | None,
    se: str | None,
    group: Sequence[str] | None,
    form: str | None,
) -> list[dict[str, Any]]:
    """A row for each group of anybody's points. Raises InputError for what cannot be fitted."""
    if not (x and y):
        raise InputError("fit --points FILE needs --x COL (sizes) and --y COL (errors)")
    name = find_form(form or "power_law_floor").name
    return [
        fit_row(named, fit)
        for named, fit in fit_each(path, x=x, y=y, se=se, group=group or (), form=name)
    ]


def write_report(
    results: Results, html: str | None = None, test_images: TestImages | None = None
) -> list[str]:
    """Write the report; the paths of its three files."""
    report(results, html=html, test_images=test_images)
    out = results.store.out.rstrip("/")
    return [html or f"{out}/report.html", f"{out}/report.md", f"{out}/numbers.json"]


def write_tuning(store: Store, name: str) -> tuple[dict[str, Any], list[str]]:
    """Write what a tuning found and its figure; the summary, and the paths of the files."""
    results = load(store)
    (tuned,) = (tuned for tuned in find_tunings(results) if tuned.name == name)
    write_summary(results, tuned)
    paths = [f"tuning/{name}.json"]
    if tuned.done:
        figure = response_figure(tuned)
        for path, body in (
            (f"figures/tuning_{name}.svg", as_svg(figure)),
            (f"figures/tuning_{name}.png", as_png(figure)),
        ):
            store.write_file(path, body)
            paths.append(path)
    return tuned.summary(), [f"{store.out.rstrip('/')}/{path}" for path in paths]
