"""Report the best number of epochs by validation error, and its effect on the test error."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from analysis.claims.claim import Evidence, effect_row
from analysis.effects.best_epochs import BestEpochs, best_epochs
from analysis.present.formatting import change, percent
from analysis.present.labels import labels, shared_facts
from analysis.present.legends import place_legend
from analysis.present.style import log_axes, same_marker, styled
from analysis.reference.published import published_runs
from analysis.report.sections.section import Data, Picture, Place, Section, StudySection, Table
from analysis.results.cell_results import LEVEL
from analysis.stats.bootstrap import error_floor
from scaling.analyses import Epochs


def measure(evidence: Evidence, place: Place, analysis: Epochs) -> Data | None:
    """Return a row for each recipe and size that was trained for several numbers of epochs."""
    lengths: dict[str, int] = {}
    for run in published_runs():  # the first published run of a recipe is the one on 7,291 images
        lengths.setdefault(run.recipe, run.epochs)
    found = best_epochs(evidence.cells.find(place.study, split="tune"), evidence.resampler, lengths)
    if not found:
        return None
    unfinished = sum(cell.n_seeds < cell.planned for best in found for cell in best.cells)
    rows = [_row(best) for best in found]
    facts = [shared_facts([cell.facts for cell in best.cells]) for best in found]
    for row, title in zip(rows, labels(facts, shown=("n_train",)), strict=True):
        row["title"] = title
    return {"title": analysis.title, "level": LEVEL, "rows": rows, "unfinished": unfinished}


def _row(found: BestEpochs) -> Data:
    best, fixed = found.best, found.fixed
    return {
        "dataset": best.dataset,
        "recipe": best.recipe,
        "n_train": best.n_train,
        "width": best.width,
        "epochs": [cell.epochs for cell in found.cells],
        "val_errors": found.val_errors,
        "val_n": int(best.models["val_n"].iloc[0]),
        "seeds": [cell.n_seeds for cell in found.cells],
        "planned": [cell.planned for cell in found.cells],
        "best": best.epochs,
        "best_test_error": best.error,
        "at_edge": found.at_edge,
        "fixed": fixed.epochs,
        "fixed_test_error": fixed.error,
        "change": None if found.change is None else effect_row(found.change),
    }


def show(data: Data) -> Section:
    level = f"{100 * data['level']:.0f} %"
    table = Table(
        caption="Best number of epochs by validation, against the one nearest to the published;"
        f" {level} intervals",
        columns=(
            "recipe",
            "#images",
            "#best epochs",
            "#test error",
            "#fixed epochs",
            "#test error there",
            "change by the best",
            "tried",
        ),
        rows=tuple(
            (
                row["title"],
                f"{row['n_train']:,}",
                f"{row['best']}{' (edge)' if row['at_edge'] else ''}",
                percent(row["best_test_error"]),
                str(row["fixed"]),
                percent(row["fixed_test_error"]),
                change(row["change"]) if row["change"] else "the same",
                ", ".join(map(str, row["epochs"])),
            )
            for row in data["rows"]
        ),
    )
    text = ["The best number of epochs has the fewest misses of validation images."]
    if any(row["at_edge"] for row in data["rows"]):
        text.append("Edge: the best is the shortest or longest tried, so a better one may exist.")
    if data["unfinished"]:
        text.append(f"{data['unfinished']} cells are not finished.")
    picture = Picture(
        name=data["id"],
        alt="Validation error against the number of epochs, a panel for each number of images",
        caption="Validation error after full trainings of each length, mean over seeds. Circle:"
        " the best length; square: the one nearest to the published.",
    )
    return Section(
        title=data["title"], text=(" ".join(text),), tables=(table,), pictures=(picture,)
    )


@styled
def draw(data: Data) -> Mapping[str, Figure]:
    sizes = sorted({row["n_train"] for row in data["rows"]})
    titles = list(dict.fromkeys(row["title"] for row in data["rows"]))
    styles = dict(zip(titles, same_marker("o", len(titles)), strict=True))
    fig = Figure(figsize=(1.2 + 2.3 * len(sizes), 3.0), layout="constrained")
    axes = fig.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
    for ax, size in zip(axes, sizes, strict=True):
        rows = [row for row in data["rows"] if row["n_train"] == size]
        for row in rows:
            colour = styles[row["title"]]["color"]
            errors = np.maximum(row["val_errors"], error_floor(row["val_n"]))
            ax.plot(row["epochs"], errors, ms=4, lw=1.2, **styles[row["title"]])
            best = errors[row["epochs"].index(row["best"])]
            ax.plot(row["best"], best, "o", ms=10, mfc="none", mec=colour, mew=1.3)
            fixed = errors[row["epochs"].index(row["fixed"])]
            ax.plot(row["fixed"], fixed, "s", ms=10, mfc="none", mec=colour, mew=1.3)
        ax.set_title(f"{size:,} images")
        ax.set_xlabel("epochs")
        log_axes(ax, sorted({n for row in rows for n in row["epochs"]}))
    axes[0].set_ylabel("validation error")
    for title in titles:
        axes[0].plot([], [], ms=4, label=title, **styles[title])
    place_legend(fig, axes[0], where="outside upper left", size=9)
    return {data["id"]: fig}


EPOCHS = StudySection(
    measure=measure,
    show=show,
    draw=draw,
    needs="which needs finished cells with validation images (split `tune`) at several epochs",
)
