"""Report candidates by their validation errors, the lowest first, before any test."""

from collections.abc import Mapping

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from analysis.claims.claim import Evidence
from analysis.present.formatting import percent
from analysis.present.labels import labels
from analysis.present.legends import row_labels
from analysis.present.links import link, row_anchor
from analysis.present.style import styled
from analysis.report.sections.section import Data, Picture, Place, Section, StudySection, Table
from analysis.results.cell_results import CellResult
from scaling.analyses import Screening

SHOWN = ("epochs", "lr")  # beside a candidate's title


def measure(evidence: Evidence, place: Place, analysis: Screening) -> Data | None:
    """Return a row for each candidate with validation images."""
    cells = [cell for cell in evidence.cells.find(place.study) if cell.split == "tune"]
    facts = [cell.facts for cell in cells]
    rows = [
        _row(cell) | {"title": title, "label": label}
        for cell, title, label in zip(
            cells, labels(facts, shown=SHOWN), labels(facts, shown=("epochs",)), strict=True
        )
    ]
    rows = sorted(rows, key=lambda row: float(row["val_error"]))
    return {"title": analysis.title, "rows": rows} if rows else None


def _row(cell: CellResult) -> Data:
    errors = (cell.models["val_misses"] / cell.models["val_n"]).to_numpy(float)
    several = len(errors) > 1
    return {
        "recipe": cell.recipe,
        "epochs": cell.epochs,
        "lr": cell.lr,
        "seeds": len(errors),
        "planned": cell.planned,
        "val_error": float(errors.mean()),
        "val_errors": errors.tolist(),
        "se": float(errors.std(ddof=1) / np.sqrt(len(errors))) if several else None,
    }


def _label(row: Data) -> str:
    return f"{row['label']}, {row['epochs']} epochs"


def show(data: Data) -> Section:
    best = data["rows"][0]
    text = (
        f"Fewest validation misses: “{_label(best)}” with"
        f" {link(percent(best['val_error']), row_anchor(data['id'], 1))}. The"
        " best of several looks better than it is, so another study measures its test error."
    )
    table = Table(
        caption="Validation errors, the lowest first; ± is the standard error over seeds",
        columns=("recipe", "#epochs", "#learning rate", "#validation error", "#±", "#seeds"),
        rows=tuple(
            (
                row["title"],
                str(row["epochs"]),
                f"{row['lr']:g}",
                percent(row["val_error"]),
                "–" if row["se"] is None else percent(row["se"]),
                f"{row['seeds']} of {row['planned']}",
            )
            for row in data["rows"]
        ),
    )
    picture = Picture(
        name=data["id"],
        alt="Validation error of each candidate",
        caption="Dots: one model each. Ticks: means. This choice uses no test image.",
    )
    return Section(title=data["title"], text=(text,), tables=(table,), pictures=(picture,))


@styled
def draw(data: Data) -> Mapping[str, Figure]:
    rows = data["rows"][::-1]
    fig = Figure(figsize=(6.4, 1.1 + 0.26 * len(rows)), layout="constrained")
    ax = fig.subplots()
    colour = sns.color_palette("colorblind", 1)[0]
    for y, row in enumerate(rows):
        ax.plot(100 * np.array(row["val_errors"]), [y] * row["seeds"], "o", ms=4, color=colour)
        ax.plot(100 * row["val_error"], y, "|", ms=13, mew=1.6, color="black")
    ax.set_yticks(range(len(rows)), row_labels(fig, [_label(row) for row in rows], lines=1))
    ax.set_xlabel("validation error, %")
    ax.grid(visible=True, axis="x")
    return {data["id"]: fig}


SCREENING = StudySection(
    measure=measure,
    show=show,
    draw=draw,
    needs="which needs finished cells with validation images (split `tune`)",
)
