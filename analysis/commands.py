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
from scaling.errors import InputError

__all__ = ["fit_points", "fit_results", "load", "write_report"]


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
