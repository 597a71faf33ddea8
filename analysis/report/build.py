"""The report of a results folder: report.html (self-contained), report.md, numbers.json."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from analysis.claims import any_run, gather_evidence, judge_all
from analysis.effects.tuning import find_tunings, tuning_json
from analysis.forecasts.far_future import project_2055
from analysis.laws.curves import Curve, find_curves
from analysis.present.display import Numbers
from analysis.present.style import as_png, as_svg
from analysis.report import digits
from analysis.report.digits import TestImages
from analysis.report.figures import learning_figure, scaling_figure
from analysis.report.numbers import make_numbers
from analysis.report.output import find_output
from analysis.report.rendering import Part, render
from analysis.report.sections import KINDS, measure_all
from analysis.report.sections.claims_table import show_claims, show_digits
from analysis.report.sections.folder_sections import measure_whole, of_whole
from analysis.report.tuning_figure import response_figure
from analysis.results.load import Results, load
from scaling.store.store import Store


def report(
    out: str | Path | Store | Results,
    html: str | Path | None = None,
    test_images: TestImages | None = None,
) -> dict[str, Any]:
    """Write the report into the results folder (the page to `html`, if given); its numbers.

    Where that folder cannot be written, `html` gets the page all the same.
    With `test_images` it also shows the digits that the best recipe gets wrong.
    Raises InputError for a folder without a study, and where the report cannot be written.
    """
    results = out if isinstance(out, Results) else load(out)
    output = find_output(results.store, html)  # before the work
    curves = find_curves(results.of([name for name in results.plans if name not in KINDS]))
    found = gather_evidence(results)
    found = replace(found, future=project_2055(curves, found.cells))
    claims = judge_all(found)
    missed = digits.hardest(results, found.cells, test_images) if test_images else None
    numbers = make_numbers(
        results,
        curves,
        measure_whole(found, curves),
        sections=measure_all(found),
        claims=claims if any_run(claims) else (),
        digits=missed and missed[0],
    )
    tunings = find_tunings(results)
    figures = _figures(results, curves, numbers)
    figures |= {f"tuning_{t.name}": response_figure(t) for t in tunings if t.done}
    if missed and missed[0]["digits"]:
        figures["digits"] = digits.draw(*missed)
    drawn = {name: (as_svg(fig), as_png(fig)) for name, fig in figures.items()}
    page = _render("report.html.jinja", numbers, drawn)
    text = _render("report.md.jinja", numbers, drawn)
    files = {f"tuning/{tuned.name}.json": tuning_json(tuned) for tuned in tunings}
    for name, (svg, png) in drawn.items():
        files |= {f"figures/{name}.svg": svg, f"figures/{name}.png": png}
    files["numbers.json"] = json.dumps(numbers, indent=1, allow_nan=False).encode()
    files["report.md"] = text.encode()
    output.write(("report.html", page), files.items())
    return Numbers(numbers)


def title(numbers: dict[str, Any]) -> str:
    """Names the data, so that drawn digits are never taken for real ones."""
    names = [data["name"] for data in numbers["datasets"]]
    known = {
        "mnist": "MNIST at 16×16",
        "usps": "zip-code digits (USPS)",
        "strokes": "strokes (digits drawn by our own generator, not real ones)",
    }
    what = "Test error against training images on "
    if numbers["tunings"] and not numbers["curves"]:
        what = "Tuning by validation images on "
    if numbers["sections"] and not numbers["curves"]:
        what = "Test errors of the network of 1989 and its successors on "
    return what + ", ".join(known.get(n, n) for n in names)


def _figures(
    results: Results, curves: list[Curve], numbers: Mapping[str, Any]
) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    if curves:
        figures["error_vs_n_train"] = scaling_figure(curves, numbers["outlook"]["ahead"])
        figures["learning_curves"] = learning_figure(curves, results.metrics)
    for data in numbers["sections"]:
        figures |= KINDS[data["study"]].draw(data)
    for part, data in of_whole(numbers):
        figures |= part.draw(data)
    return figures


def _parts(numbers: Mapping[str, Any]) -> list[Part]:
    """Every section, made of nothing but the numbers."""
    notes = {study["name"]: tuple(study["notes"]) for study in numbers["studies"]}
    parts = [
        Part(id=data["study"], section=KINDS[data["study"]].show(data), notes=notes[data["study"]])
        for data in numbers["sections"]
    ]
    if numbers["claims"]:
        parts.append(
            Part(id="claims", section=show_claims(numbers["claims"], {part.id for part in parts}))
        )
    parts += [Part(id=part.id, section=part.show(data)) for part, data in of_whole(numbers)]
    if numbers["digits"]:
        parts.append(Part(id="digits", section=show_digits(numbers["digits"])))
    return parts


def _render(template: str, numbers: dict[str, Any], drawn: dict[str, tuple[bytes, bytes]]) -> str:
    parts = _parts(numbers)
    lead = ""  # without curves, the first section's first words open the page
    if parts and parts[0].section.text and not numbers["curves"]:
        lead, *rest = parts[0].section.text
        parts[0] = replace(parts[0], section=replace(parts[0].section, text=tuple(rest)))
    return render(
        template,
        drawn,
        numbers=numbers,
        title=title(numbers),
        parts=parts,
        lead=lead,
        sectioned={data["study"] for data in numbers["sections"]},
    )
