"""The comparison as files of the first folder: a page, a text, its numbers and its figure."""

import json
from pathlib import Path
from typing import Any

from analysis.compare import compare
from analysis.compare.plot import comparison_figure
from analysis.compare.show import FIGURE, headline, sections
from analysis.present.style import as_png, as_svg
from analysis.report.numbers import plain
from analysis.report.output import find_output
from analysis.report.rendering import Part, render
from analysis.results.load import Results

PAGE, TEXT, NUMBERS = "comparison.html", "comparison.md", "comparison_numbers.json"


def write_comparison(a: Results, b: Results, html: str | Path | None = None) -> dict[str, Any]:
    """Write the comparison of folder B with A into A; return its numbers.

    The page goes to `html`, if given.
    Raises InputError where it cannot be written.
    """
    output = find_output(a.store, html)
    data: dict[str, Any] = plain(compare(a, b))
    drawn = {}
    if data["rows"]:
        figure = comparison_figure(data["rows"])
        drawn[FIGURE] = (as_svg(figure), as_png(figure))
    values = {
        "a": data["a"]["out"],
        "b": data["b"]["out"],
        "lead": headline(data),
        "parts": [Part(id=anchor, section=section) for anchor, section in sections(data)],
    }
    page = render("comparison.html.jinja", drawn, **values)
    files: dict[str, bytes] = {}
    for name, (svg, png) in drawn.items():
        files |= {f"figures/{name}.svg": svg, f"figures/{name}.png": png}
    files[NUMBERS] = json.dumps(data, indent=1, allow_nan=False).encode()
    files[TEXT] = render("comparison.md.jinja", drawn, **values).encode()
    output.write((PAGE, page), files.items())
    return data
