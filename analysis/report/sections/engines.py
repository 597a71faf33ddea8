"""Compare engines within cells: do models of different engines miss equally many test images?

Engines share all draws and differ by rounding. Over 23 epochs rounding grows until two weights are
as far apart as those of two seeds, so the misses are compared as distributions.
"""

from itertools import combinations
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.effects.decision_rules import ALPHA, excludes_zero
from analysis.present.formatting import p_value
from analysis.present.labels import labels
from analysis.report.sections.section import Data, Section, Table
from analysis.results.cell_results import LEVEL
from analysis.results.identity import facts_of
from analysis.results.load import Results
from analysis.stats.holm import holm

NAME = "engines"
FEWEST = 3  # members on either side: with fewer, a rank test has no power


def measure(results: Results) -> Data | None:
    """Compare every pair of (engine, device) within every cell that has enough members of both."""
    rows = []
    for cell_id, models in results.study_models.groupby("cell_id", sort=False):
        by_trainer = dict(list(models.groupby(["engine", "device"])["test_misses"]))
        able = sorted(key for key, misses in by_trainer.items() if len(misses) >= FEWEST)
        for one, other in combinations(able, 2):
            cell = {key: models[key].iloc[0] for key in ("recipe", "n_train", "width", "n_test")}
            names = ("/".join(map(str, key)) for key in (one, other))
            pair = {"cell_id": cell_id, **dict(zip(("one", "other"), names, strict=True))}
            rows.append(_plain(cell) | pair | compare(by_trainer[one], by_trainer[other]))
    if not rows:
        return None
    entries = {cell["cell_id"]: cell for cell in results.cells}
    facts = [facts_of(entries[row["cell_id"]]) for row in rows]
    for row, title in zip(rows, labels(facts, shown=("n_train", "width")), strict=True):
        row["title"] = title
    adjusted = holm([row["p"] for row in rows])
    rows = [row | {"p_holm": p} for row, p in zip(rows, adjusted, strict=True)]
    return {
        "level": LEVEL,
        "rows": rows,
        "least_p_holm": min(adjusted),
        "beyond": sum(excludes_zero(row["low"], row["high"]) for row in rows),
        "differ": sum(p < ALPHA for p in adjusted),
    }


def compare(one: "pd.Series[int]", other: "pd.Series[int]") -> Data:
    """Return the mean difference, other minus one, with Welch's interval and the rank test's p.

    All models have the same test images, so only seeds differ at random.
    """
    a, b = (np.asarray(misses, float) for misses in (one, other))
    difference = float(b.mean() - a.mean())
    variances = (a.var(ddof=1) / len(a), b.var(ddof=1) / len(b))
    se, half = sqrt(sum(variances)), 0.0
    if se > 0:
        freedom = sum(variances) ** 2 / sum(
            v**2 / (len(x) - 1) for v, x in zip(variances, (a, b), strict=True)
        )
        half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * se
    return {
        "n_one": len(a),
        "n_other": len(b),
        "mean_one": float(a.mean()),
        "mean_other": float(b.mean()),
        "difference": difference,
        "low": difference - half,
        "high": difference + half,
        "p": float(stats.mannwhitneyu(a, b, alternative="two-sided").pvalue),
    }


def show(data: Data) -> Section:
    level, rows = f"{100 * data['level']:.0f} %", data["rows"]
    text = (
        f"{data['differ']} of {len(rows)} {'comparison' if len(rows) == 1 else 'comparisons'} of"
        " engines within a cell differ in the distribution of their misses, at"
        f" {1 - data['level']:.1f} after Holm's correction (smallest p"
        f" {p_value(data['least_p_holm'])}). {data['beyond']} of the {level} intervals of the mean"
        f" difference exclude 0; about {len(rows) * (1 - data['level']):.1f} would by chance."
        " Each row of a model names its engine."
    )
    table = Table(
        caption=f"Test misses by engine; {level} intervals (Welch), p by Mann and Whitney",
        columns=(
            *("recipe", "#images", "#width", "one", "other", "#misses", "#misses of the other"),
            *("difference", "#p", "#p (Holm)"),
        ),
        rows=tuple(
            (
                row["title"],
                f"{row['n_train']:,}",
                f"{row['width']:g}",
                f"{row['one']} ({row['n_one']})",
                f"{row['other']} ({row['n_other']})",
                f"{row['mean_one']:.1f}",
                f"{row['mean_other']:.1f}",
                f"{row['difference']:+.1f} ({row['low']:+.1f} to {row['high']:+.1f})",
                p_value(row["p"]),
                p_value(row["p_holm"]),
            )
            for row in rows
        ),
    )
    return Section(title="Agreement of the engines", text=(text,), tables=(table,))


def _plain(cell: dict[str, Any]) -> Data:
    """Return a cell as JSON holds it."""
    return {key: value.item() if hasattr(value, "item") else value for key, value in cell.items()}
