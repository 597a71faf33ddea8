"""Build the report of a results folder: report.html (self-contained), report.md, numbers.json."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from analysis.claims.claim import Evidence, gather_evidence
from analysis.effects.tuning import find_tunings, tuning_json
from analysis.present.display import Numbers
from analysis.present.style import as_png, as_svg
from analysis.report import digits
from analysis.report.digits import TestImages
from analysis.report.figures import learning_figure, scaling_figure
from analysis.report.numbers import make_numbers
from analysis.report.output import find_output
from analysis.report.rendering import Part, render
from analysis.report.sections.registry import (
    BY_KIND,
    measure_folder,
    measure_studies,
    sections_missing,
    sections_to_show,
)
from analysis.report.tuning_figure import response_figure
from analysis.results.load import Results, load
from scaling.store.store import Store


def report(
    out: str | Path | Store | Results,
    html: str | Path | None = None,
    test_images: TestImages | None = None,
) -> dict[str, Any]:
    """Write the report into the results folder, its page to `html` if given; return its numbers.

    A folder that cannot be written is no obstacle to a page in `html`. With `test_images` the
    report also shows the digits that the best recipe misses.
    Raises InputError for a folder without a study, and where the report cannot be written.
    """
    results = out if isinstance(out, Results) else load(out)
    output = find_output(results.store, html)  # before the work
    evidence, tunings = gather_evidence(results), find_tunings(results)
    missed = digits.hardest(results, evidence.cells, test_images) if test_images else None
    numbers = make_numbers(
        results,
        evidence.curves,
        tunings,
        sections=measure_studies(evidence),
        folder=measure_folder(evidence) | {"digits": missed and missed[0]},
    )
    figures = _figures(evidence, numbers)
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
    """Return a title that names the data, so that drawn digits are never taken for real ones."""
    names = [data["name"] for data in numbers["datasets"]]
    known = {
        "mnist": "MNIST at 16×16",
        "usps": "zip-code digits (USPS)",
        "strokes": "strokes (digits drawn by our own generator, not real ones)",
    }
    subject = "Test error against training images on "
    if numbers["tunings"] and not numbers["curves"]:
        subject = "Tuning by validation images on "
    if numbers["sections"] and not numbers["curves"]:
        subject = "Test errors of the network of 1989 and its successors on "
    return subject + ", ".join(known.get(n, n) for n in names)


def _figures(evidence: Evidence, numbers: Mapping[str, Any]) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    if curves := evidence.curves:
        figures["error_vs_n_train"] = scaling_figure(curves, numbers["outlook"]["ahead"])
        figures["learning_curves"] = learning_figure(curves, evidence.results.metrics)
    for data in numbers["sections"]:
        figures |= BY_KIND[data["analysis"]["kind"]].draw(data)
    for section, data in sections_to_show(numbers):
        figures |= section.draw(data)
    return figures


def _parts(numbers: Mapping[str, Any]) -> list[Part]:
    """Return every section in its printed form, made of the numbers alone."""
    unprinted = {s["name"]: s for s in numbers["studies"] if not s["has_curves"]}
    parts = []
    for data in numbers["sections"]:  # the first one about a study has its question and notes
        study = unprinted.pop(data["study"], {"question": "", "notes": ()})
        section = BY_KIND[data["analysis"]["kind"]].show(data)
        notes = tuple(study["notes"])
        parts.append(Part(id=data["id"], section=section, question=study["question"], notes=notes))
    return parts + [
        Part(id=section.id, section=section.show(data))
        for section, data in sections_to_show(numbers)
    ]


def _render(template: str, numbers: dict[str, Any], drawn: dict[str, tuple[bytes, bytes]]) -> str:
    parts = _parts(numbers)
    lead = ""  # without curves, the first words of the first study's section open the page
    if numbers["sections"] and parts[0].section.text and not numbers["curves"]:
        lead, *rest = parts[0].section.text
        parts[0] = replace(parts[0], section=replace(parts[0].section, text=tuple(rest)))
    return render(
        template,
        drawn,
        numbers=numbers,
        title=title(numbers),
        parts=parts,
        lead=lead,
        sections_missing=sections_missing(numbers),
        sectioned={data["study"] for data in numbers["sections"]}
        - {study["name"] for study in numbers["studies"] if study["has_curves"]},
    )
