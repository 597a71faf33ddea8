"""Compare each published run with the distribution of single runs that was measured."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from analysis.claims.claim import Evidence, effect_row
from analysis.present.labels import labels
from analysis.reference.published import published_runs
from analysis.report.sections.ladder_plot import draw
from analysis.report.sections.ladder_text import show
from analysis.report.sections.section import Data, Place, StudySection
from analysis.results.cell_results import LEVEL, Ambiguous, CellResult
from analysis.stats.prediction_interval import prediction_interval
from scaling.analyses import Ladder, PublishedRun
from scaling.study import MODERN

DRAWN = 2007  # cited: the test images of 1989 and of the write-up
SAME_IMAGES = "usps"
LATER = ("ce", "adamw", "augment", MODERN)


def measure(evidence: Evidence, place: Place, analysis: Ladder) -> Data | None:
    """Return a row for each published run of the study's data sets, and for each other cell."""
    study = place.study
    runs = published_runs() if analysis.published is None else analysis.published
    cells = [cell for cell in evidence.cells.find(study) if cell.split == "none"]
    datasets = {cell["dataset"] for cell in evidence.results.plans[study]["cells"]}
    rows = []
    for run in runs:
        if run.dataset in datasets:
            same = {"dataset": run.dataset, "n_train": run.n_train, "recipe": run.recipe}
            cell = _first(evidence, study, epochs=run.epochs, **same)
            rows.append(_row(run.what, run, cell) | {"cell": cell})
    shown = [cell for row in rows if (cell := row.pop("cell")) is not None]
    left = [cell for cell in cells if not any(cell is other for other in shown)]
    named = labels([cell.facts for cell in [*shown, *left]])
    for cell, title in zip(left, named[len(shown) :], strict=True):
        rows.append(_row(title, _meant(cell, cells, runs), cell, _drawn(runs, cell.dataset)))
    to = analysis.compare_to
    base = _first(evidence, study, recipe=to, width=1.0) if to else None
    suspects = _suspects(evidence, base, cells) if base else []
    judged = [row["inside"] for row in rows if row["inside"] is not None]
    data = {"title": analysis.title, "level": LEVEL, "rows": rows, "suspects": suspects}
    return {**data, "compared": len(judged), "inside": sum(judged)} if rows else None


def _first(evidence: Evidence, study: str, **where: Any) -> CellResult | None:
    """Return the one cell with these fields; None if it is missing or ambiguous."""
    try:
        return evidence.cells.first(study, **where)
    except Ambiguous:
        return None


def _meant(
    cell: CellResult, cells: Sequence[CellResult], published: Sequence[PublishedRun]
) -> PublishedRun | None:
    """Return the paper's own run, for a cell that may be its recipe: without later tricks."""
    later = {trick for other in cells if other.recipe in LATER for trick in other.tricks}
    runs = (run for run in published if run.recipe == "1989" and run.dataset == cell.dataset)
    alike = (run for run in runs if run.n_train == cell.n_train and run.row == "paper")
    return None if later & set(cell.tricks) or cell.recipe in LATER else next(alike, None)


def _drawn(published: Sequence[PublishedRun], dataset: str) -> int:
    """Return the test images of published runs on this data set, where all have as many."""
    sizes = {run.n_test for run in published if run.dataset == dataset}
    return sizes.pop() if len(sizes) == 1 else DRAWN


def _row(
    what: str, run: PublishedRun | None, cell: CellResult | None, n_drawn: int = DRAWN
) -> Data:
    n_drawn = n_drawn if run is None else run.n_test
    row: Data = {
        "row": None if run is None else run.row,
        "what": what,
        "published": None if run is None else run.test_misses,
        "published_train": None if run is None else run.train_misses,
        "source": None if run is None else run.source,
        "note": None if run is None else run.note,
        "n_train": cell.n_train if run is None and cell else run and run.n_train,
        "epochs": cell.epochs if run is None and cell else run and run.epochs,
        "n_drawn": n_drawn,
        "cell_id": None if cell is None else cell.cell_id,
        "seeds": 0 if cell is None else cell.n_seeds,
        "planned": 0 if cell is None else cell.planned,
    }
    return row | (_measurements(run, cell, n_drawn) if cell else dict.fromkeys(MEASURED))


MEASURED = (
    "n_test",
    "misses",
    "mean",
    "mean_drawn",
    "median_drawn",
    "interval_drawn",
    "interval",
    "seed_half",
    "test_half",
    "one_run",
    "inside",
    "train_misses",
    "train_n",
    "train_mean",
    "train_one_run",
    "train_inside",
)


def _measurements(run: PublishedRun | None, cell: CellResult, n_drawn: int) -> Data:
    """Return misses among all test images, and among as many as the published run had."""
    summary, n = cell.summary, cell.n_test
    tail = (1 + LEVEL) / 2
    # On usps the test set is the published one; on others it is a draw like the published one.
    comparable = n > n_drawn or cell.dataset == SAME_IMAGES
    new = prediction_interval(cell.misses, n, n_drawn) if comparable else None
    train_n = int(cell.models["train_n"].iloc[0])
    train_new = prediction_interval(cell.train_misses, train_n)
    return {
        "n_test": n,
        "misses": cell.misses,
        "mean": summary.error * n,
        "mean_drawn": summary.error * n_drawn,
        "median_drawn": float(np.median(cell.misses)) / n * n_drawn,
        "interval_drawn": [summary.low * n_drawn, summary.high * n_drawn],
        "interval": [summary.low * n, summary.high * n],
        "seed_half": None
        if summary.se_seed is None
        else float(stats.t.ppf(tail, cell.n_seeds - 1)) * summary.se_seed * n,
        "test_half": float(stats.norm.ppf(tail)) * summary.se_test * n,
        "one_run": None if new is None else [new.low, new.high],
        "inside": None if new is None or run is None else new.contains(run.test_misses),
        "train_misses": cell.train_misses,
        "train_n": train_n,
        "train_mean": float(np.mean(cell.train_misses)),
        "train_one_run": None if train_new is None else [train_new.low, train_new.high],
        "train_inside": None
        if train_new is None or run is None or run.train_misses is None
        else train_new.contains(run.train_misses),
    }


def _suspects(evidence: Evidence, base: CellResult, cells: Sequence[CellResult]) -> list[Data]:
    """Return the change of the misses from the baseline to each other cell."""
    rows = []
    others = [c for c in cells if c is not base and _place(c) == _place(base)]
    titles = labels([cell.facts for cell in others])
    for cell, title in zip(others, titles, strict=True):
        effect = evidence.resampler.change(base, cell)
        rows.append(
            {
                "what": title,
                "seeds": cell.n_seeds,
                "planned": cell.planned,
                "mean": cell.error * cell.n_test,
                "n_test": cell.n_test,
                "train_mean": float(np.mean(cell.train_misses)),
                "change": None if effect is None else effect_row(effect),
            }
        )
    return rows


def _place(cell: CellResult) -> tuple[object, ...]:
    return cell.dataset, cell.n_train


LADDER = StudySection(
    measure=measure,
    show=show,
    draw=draw,
    needs="which needs finished cells without validation images, or published runs of the data",
)
