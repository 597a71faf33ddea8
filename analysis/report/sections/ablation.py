"""Report the worth of each trick, averaged over the orders of adding the tricks."""

import math
from collections.abc import Mapping, Sequence

import seaborn as sns
from matplotlib.figure import Figure

from analysis.claims.claim import Evidence, effect_row
from analysis.effects.shapley import cells_by_tricks, count_missing, interactions, trick_effects
from analysis.present.formatting import change
from analysis.present.legends import place_legend, row_labels
from analysis.present.links import link, row_anchor
from analysis.present.style import change_axis, draw_change, styled
from analysis.report.sections.section import Data, Picture, Place, Section, StudySection, Table
from analysis.results.cell_results import LEVEL, CellResult
from analysis.results.identity import only_one
from scaling.analyses import Factorial

WAYS = {
    "average": "averaged over all orders",
    "alone": "added to 1989 alone",
    "last": "added last, to all others",
}
SAME = (  # fields in which all combinations agree
    *("dataset", "data_version", "test_set_id", "n_train", "split", "width"),
    *("model", "model_version", "start", "epochs", "batch_size"),
)


def measure(evidence: Evidence, place: Place, analysis: Factorial) -> Data | None:
    """Return the effects of tricks and pairs; without effects where a combination is missing."""
    cells = evidence.cells.find(place.study)
    if not cells:
        return None
    first = cells[0]
    recipes = [cell["recipe"] for cell in evidence.results.plans[place.study]["cells"]]
    planned = [tuple(name for name, _ in recipe["tricks"]) for recipe in recipes]
    tricks = max(planned, key=len)
    by_tricks = cells_by_tricks(alike := _alike(cells, tricks))
    missing = count_missing(tricks, by_tricks)
    data: Data = {
        "title": analysis.title,
        "level": LEVEL,
        "n_train": first.n_train,
        "epochs": first.epochs,
        "combinations": len(by_tricks) + missing,
        "missing": missing,
        "seeds": min((cell.n_seeds for cell in by_tricks.values()), default=0),
        "n_tricks": len(tricks),
        "left_out": len(cells) - len(alike),
        "tricks": [],
        "interactions": [],
        "all": None,
    }
    if missing or not tricks:
        return data
    resampler = evidence.resampler
    together = resampler.change(by_tricks[frozenset()], by_tricks[frozenset(tricks)])
    data["all"] = None if together is None else effect_row(together)
    data["tricks"] = [
        {"trick": worth.trick, **{way: effect_row(getattr(worth, way)) for way in WAYS}}
        for worth in trick_effects(resampler, tricks, by_tricks)
    ]
    data["interactions"] = [
        {"tricks": list(pair.tricks), **effect_row(pair.effect)}
        for pair in interactions(resampler, tricks, by_tricks)
    ]
    return data


def _alike(cells: Sequence[CellResult], tricks: Sequence[str]) -> list[CellResult]:
    """Return the cells that are as the first in all but `tricks`, one for each set of these."""
    first = cells[0]
    found: dict[frozenset[str], list[CellResult]] = {}
    for cell in cells:
        same = all(cell.facts.get(name) == first.facts.get(name) for name in SAME)
        if same and set(cell.tricks) <= set(tricks):
            found.setdefault(frozenset(cell.tricks), []).append(cell)
    one = [only_one(several) for several in found.values()]
    return [cell for cell in one if cell is not None]


def show(data: Data) -> Section:
    if not data["n_tricks"]:
        lead = "No recipe of the study has a trick: the study has no combinations to compare."
        return Section(title=data["title"], text=(lead,))
    if not data["tricks"]:
        return Section(
            title=data["title"],
            text=(
                f"{data['missing']} of {data['combinations']} combinations have no finished model:"
                " the averages over all orders need all combinations.",
                *_left_out(data),
            ),
        )
    best = min(data["tricks"], key=_average)
    row = row_anchor(data["id"], 1 + data["tricks"].index(best))
    level = f"{100 * data['level']:.0f} %"
    text = [
        f"All {data['combinations']} combinations of {data['n_tricks']} tricks at"
        f" {data['n_train']:,} images and {data['epochs']} epochs, {data['seeds']} seeds each."
        f" Averaged over all orders, {_name(best['trick'])} is worth most: it changes the test"
        f" error by {link(change(best['average']), row)}. The averages multiply to the"
        f" effect of all tricks, {change(data['all'])}."
    ]
    if data["interactions"]:
        text.append(
            "Interactions of pairs, relative to the product of their single effects (below 0:"
            " they help each other; intervals by Bonferroni at"
            f" {100 * data['interactions'][0]['level']:.0f} %): "
            + "; ".join(
                f"{_name(row['tricks'][0])} with {_name(row['tricks'][1])}"
                f" {link(change(row), row_anchor(data['id'], i, 2))}"
                for i, row in enumerate(data["interactions"], 1)
            )
            + "."
        )
    table = Table(
        caption=f"Change of the test error, {level} intervals",
        columns=("trick", *WAYS.values()),
        rows=tuple(
            (_name(row["trick"]), *(change(row[way]) for way in WAYS)) for row in data["tricks"]
        ),
    )
    pairs = Table(
        caption="Interactions of pairs, relative to the product of their single effects",
        columns=("trick", "with", "change of the test error"),
        rows=tuple(
            (_name(row["tricks"][0]), _name(row["tricks"][1]), change(row))
            for row in data["interactions"]
        ),
    )
    picture = Picture(
        name=data["id"],
        alt="Change of the test error by each trick with its interval",
        caption=f"Change of the test error by each trick with {level} intervals.",
    )
    return Section(
        title=data["title"],
        text=(*text, *_left_out(data)),
        tables=(table, pairs) if data["interactions"] else (table,),
        pictures=(picture,),
    )


def _left_out(data: Data) -> tuple[str, ...]:
    """Return a sentence on cells that are no combination, such as those of other rates."""
    n = data["left_out"]
    return (
        (f"{n} cells differ from these in more than their tricks and are left out.",) if n else ()
    )


@styled
def draw(data: Data) -> Mapping[str, Figure]:
    if not data["tricks"]:
        return {}
    rows = sorted(data["tricks"], key=_average)
    fig = Figure(figsize=(6.4, 1.3 + 0.55 * len(rows)), layout="constrained")
    ax = fig.subplots()
    colours = sns.color_palette("colorblind", len(WAYS))
    for way, shift, marker, colour in zip(WAYS, (0.22, 0, -0.22), "os^", colours, strict=True):
        for y, row in enumerate(rows):
            effect = row[way]
            label = WAYS[way] if y == 0 else None
            draw_change(ax, effect, shift - y, marker, color=colour, lw=1.3, label=label)
    ax.axvline(0, color="#666666", lw=0.8)
    ax.set_yticks(range(0, -len(rows), -1), row_labels(fig, [_name(row["trick"]) for row in rows]))
    ax.tick_params(axis="y", length=0)
    change_axis(ax)
    ax.set_xlabel("change of the test error")
    ax.grid(visible=True, axis="x")
    place_legend(fig, ax, where="outside upper left", across=3)
    return {data["id"]: fig}


def _average(row: Data) -> float:
    """Return the key that orders tricks; a change from a base without misses comes last."""
    change = row["average"]["change"]
    return math.inf if change is None else float(change)


def _name(trick: str) -> str:
    return {"adamw": "AdamW", "relu": "ReLU", "shift": "shifts"}.get(trick, trick.replace("_", "-"))


FACTORIAL = StudySection(
    measure=measure,
    show=show,
    draw=draw,
    needs="which needs finished cells",
)
