"""The report of a results folder: report.html (self-contained), report.md, numbers.json."""

import base64
import json
from pathlib import Path
from typing import Any

import jinja2

from analysis.curves import find_curves
from analysis.load import Results, load
from analysis.numbers import make_numbers
from analysis.plots import as_png, as_svg, learning_figure, scaling_figure
from analysis.response import response_figure
from analysis.tuning import find_tunings, write_tuning
from scaling.errors import InputError
from scaling.store import Store


def report(out: str | Path | Store | Results, html: str | Path | None = None) -> dict[str, Any]:
    """Write the report into the results folder (the page to `html`, if given); its numbers.

    Raises InputError for a folder without a study, and where the report cannot be written.
    """
    results = out if isinstance(out, Results) else load(out)
    curves = find_curves(results)
    numbers = make_numbers(results, curves)
    figures = (
        {
            "error_vs_n_train": scaling_figure(curves),
            "learning_curves": learning_figure(curves, results.metrics),
        }
        if curves
        else {}
    )
    tunings = find_tunings(results)
    figures |= {f"tuning_{t.name}": response_figure(t) for t in tunings if t.done}
    drawn = {name: (as_svg(fig), as_png(fig)) for name, fig in figures.items()}
    page = _render("report.html.jinja", numbers, drawn, results, escape=True)
    try:
        for tuned in tunings:
            write_tuning(results, tuned)
        for name, (svg, png) in drawn.items():
            results.store.write_file(f"figures/{name}.svg", svg)
            results.store.write_file(f"figures/{name}.png", png)
        results.store.write_file(
            "numbers.json", json.dumps(numbers, indent=1, allow_nan=False).encode()
        )
        text = _render("report.md.jinja", numbers, drawn, results, escape=False)
        results.store.write_file("report.md", text.encode())
        if html is None:
            results.store.write_file("report.html", page.encode())
        else:
            Path(html).write_text(page)
    except OSError as error:
        raise InputError(
            f"the report cannot be written ({error}): make {results.store.out} writable, or name"
            " another place with --html"
        ) from error
    return numbers


def title(numbers: dict[str, Any]) -> str:
    """Names the data, so that drawn digits are never taken for real ones."""
    names = [data["name"] for data in numbers["datasets"]]
    words = {
        "mnist": "MNIST at 16×16",
        "usps": "zip-code digits (USPS)",
        "strokes": "strokes (digits drawn by our own generator, not real ones)",
    }
    what = "Test error against training images on "
    if numbers["tunings"] and not numbers["curves"]:
        what = "Tuning by validation images on "
    return what + ", ".join(words.get(n, n) for n in names)


def _render(
    template: str,
    numbers: dict[str, Any],
    drawn: dict[str, tuple[bytes, bytes]],
    results: Results,
    *,
    escape: bool,
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=escape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=_percent, number=_number, interval=_interval)
    images = {
        name: "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
        for name, (svg, _) in drawn.items()
    }
    return environment.get_template(template).render(
        numbers=numbers, title=title(numbers), images=images, out=results.store.out
    )


def _percent(value: float | None, digits: int = 2) -> str:
    return "unknown" if value is None else f"{100 * value:.{digits}f} %"


def _number(value: float | None, digits: int = 3) -> str:
    if value is None:
        return "unbounded"
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def _interval(ends: list[float | None], percent: bool = False) -> str:
    show = _percent if percent else _number
    low, high = ends
    if low is None and high is None:
        return "unbounded"
    if high is None:
        return f"above {show(low)}"
    if not high:
        return "0 in every replicate"
    if not low:
        return f"at most {show(high)}"
    return f"{show(low)} to {show(high)}"
