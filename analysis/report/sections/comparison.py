"""Compare each cell of a study with its baseline: another recipe, width or set of tricks."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from functools import partial

from analysis.claims.claim import Evidence, effect_row
from analysis.effects.decision_rules import FEWER, MARGIN, MORE, direction
from analysis.present.formatting import NONE, change, done_of_planned, interval, percent
from analysis.present.labels import labels, shared_facts
from analysis.present.links import link, table_anchor
from analysis.present.style import recipe_title
from analysis.report.sections import interaction
from analysis.report.sections.comparison_plots import ALONG, BESIDE, TICKS, draw, varying_fields
from analysis.report.sections.section import Data, Picture, Place, Section, StudySection, Table
from analysis.results.cell_results import LEVEL, CellResult, describe_cell
from analysis.results.identity import USUAL, group_cells, only_one
from scaling.analyses import FEWER_TRICKS, SMALLEST_WIDTH, Axis, Compare
from scaling.study import identity_without

ALIKE = ("dataset", "test_set_id", "split", "n_train", "width", "batch_size")


def baselines(to: str, cells: Sequence[CellResult]) -> list[CellResult | None]:
    """Return each cell's baseline; None where it has none among the cells."""
    special = {SMALLEST_WIDTH: (_without_width, _smallest), FEWER_TRICKS: (_place, _fewer_tricks)}
    key, choose = special.get(to) or (_place, partial(_of_recipe, to))
    groups = defaultdict[Hashable, list[CellResult]](list)
    keys = [key(cell) for cell in cells]
    for cell, group in zip(cells, keys, strict=True):
        groups[group].append(cell)
    return [choose(cell, groups[group]) for cell, group in zip(cells, keys, strict=True)]


def _place(cell: CellResult) -> Hashable:
    return tuple(getattr(cell, name) for name in ALIKE)


def _without_width(cell: CellResult) -> Hashable:
    return identity_without(cell.planned_cell, "width")


def _of_recipe(name: str, cell: CellResult, alike: Sequence[CellResult]) -> CellResult | None:
    """Return the cell with the recipe of this name that differs in nothing else."""
    return only_one([other for other in alike if other.recipe == name], like=cell)


def _smallest(cell: CellResult, alike: Sequence[CellResult]) -> CellResult | None:
    """Return the cell of the same recipe in the smallest network."""
    least = min(other.width for other in alike)
    return only_one([other for other in alike if other.width == least], like=cell)


def _fewer_tricks(cell: CellResult, alike: Sequence[CellResult]) -> CellResult | None:
    """Return the cell with the most of its tricks and no other; for another model, the usual's."""
    if cell.model != USUAL:
        return only_one([other for other in alike if other.model == USUAL], like=cell)
    fewer = [o for o in alike if o.model == cell.model and set(o.tricks) < set(cell.tricks)]
    most = max((len(other.tricks) for other in fewer), default=0)
    return only_one([other for other in fewer if len(other.tricks) == most], like=cell)


def against(analysis: Compare) -> str:
    """Return the baseline in words."""
    words = {
        SMALLEST_WIDTH: "the same recipe at the smallest width",
        FEWER_TRICKS: "the same recipe without its last tricks",
    }
    return (
        analysis.against
        or words.get(analysis.to)
        or f"the recipe “{recipe_title(analysis.to)}” at the same size and width"
    )


def measure(evidence: Evidence, place: Place, analysis: Compare) -> Data | None:
    """Return a row for each cell, with its change against the baseline."""
    cells = evidence.cells.find(place.study)
    if not cells:
        return None
    bases = baselines(analysis.to, cells)
    rows = [_row(evidence, *pair) for pair in zip(cells, bases, strict=True)]
    shown = [name for name in varying_fields(rows) if name in HEADINGS]
    for row, names in zip(rows, _names(cells, bases, shown, analysis.axis), strict=True):
        row |= names
    verdicts = [row["verdict"] for row in rows]
    return {
        "title": analysis.title or f"{place.study}: against {_short(analysis)}",
        "level": LEVEL,
        "margin": MARGIN,
        "axis": analysis.axis,
        "against": against(analysis),
        "rows": rows,
        "crossed": interaction.rows_of(evidence, cells) if place.interaction else [],
        "compared": len(rows) - verdicts.count(None),
        "fewer": verdicts.count(FEWER),
        "more": verdicts.count(MORE),
    }


def _short(analysis: Compare) -> str:
    short = {SMALLEST_WIDTH: "the smallest width", FEWER_TRICKS: "fewer tricks"}
    return short.get(analysis.to) or f"“{recipe_title(analysis.to)}”"


def _names(
    cells: Sequence[CellResult],
    bases: Sequence[CellResult | None],
    shown: list[str],
    axis: Axis | None,
) -> list[Data]:
    """Add to each row its labels in table and figures, its baseline and its line."""
    facts = [cell.facts for cell in cells]
    of_bases = {id(base): base.facts for base in bases if base is not None}
    base_titles = dict(zip(of_bases, labels(list(of_bases.values()), shown=TICKS), strict=True))
    names: list[Data] = [
        {
            "title": title,
            "tick": tick,
            "against": None if base is None or base is cell else base_titles[id(base)],
        }
        for cell, base, title, tick in zip(
            cells, bases, labels(facts, shown=shown), labels(facts, shown=TICKS), strict=True
        )
    ]
    if axis is None:
        return names
    lines = group_cells(cells, (ALONG[axis],), loose=("epochs", "batch_size"))
    common = [shared_facts([cell.facts for cell in line]) for line in lines]
    titles = labels(common, shown=BESIDE[axis], bases=[recipe_title(f["recipe"]) for f in common])
    place = {id(cell): name for name, line in enumerate(lines) for cell in line}
    for cell, name in zip(cells, names, strict=True):
        name |= {"line": place[id(cell)], "line_title": titles[place[id(cell)]]}
    return names


def _row(evidence: Evidence, cell: CellResult, base: CellResult | None) -> Data:
    effect = None if base is None or base is cell else evidence.resampler.change(base, cell)
    return describe_cell(cell) | {
        "base": None if base is None or base is cell else base.recipe,
        "change": None if effect is None else effect_row(effect),
        "verdict": None if effect is None else direction(effect),
    }


HEADINGS = {
    "n_train": "#images",
    "width": "#width",
    "batch_size": "#batch",
    "epochs": "#epochs",
    "n_macs": "#multiplications",
}


def show(data: Data) -> Section:
    rows, level = data["rows"], f"{100 * data['level']:.0f} %"
    shown = [name for name in varying_fields(rows) if name in HEADINGS]
    rows_of = table_anchor(data["id"])
    compared, fewer, more = (link(str(data[n]), rows_of) for n in ("compared", "fewer", "more"))
    text = (
        f"{compared} comparison{'s' if data['compared'] != 1 else ''} with {data['against']}, on"
        f" the same seeds and test images: {fewer} with fewer misses, {more} with more; each"
        " interval stands for itself, without a correction for their number."
    )
    if not data["compared"]:
        text = (
            f"No cell could be compared with {data['against']}: no other finished cell is that"
            " baseline on the same seeds and test images."
        )
    table = Table(
        caption=f"Test errors and their changes against {data['against']}; {level} intervals",
        columns=(
            "recipe",
            *(HEADINGS[name] for name in shown),
            "#mean misses",
            "#error",
            "interval",
            "change of the error",
            "verdict",
            "#seeds",
        ),
        rows=tuple(
            (
                row["title"],
                *(f"{row[name]:,g}" if name == "width" else f"{row[name]:,}" for name in shown),
                f"{row['mean']:,.1f} of {row['n_test']:,}",
                percent(row["error"]),
                interval([row["low"], row["high"]], percent=True),
                change(row["change"]),
                row["verdict"] or NONE,
                done_of_planned(row["seeds"], row["planned"]),
            )
            for row in rows
        ),
    )
    by_axis = data["axis"] and len({row[data["axis"]] for row in rows}) > 1
    picture = Picture(
        name=data["id"],
        alt="Test errors with intervals" if by_axis else "Changes of the test error",
        caption=f"Means over seeds with {level} intervals."
        if by_axis
        else f"Change of the test error with {level} intervals; grey: within"
        f" {100 * data['margin']:.0f} %.",
    )
    return Section(
        title=data["title"],
        text=(text, *interaction.sentences(data["id"], data["crossed"])),
        tables=(table, *interaction.tables(data["crossed"], level)),
        pictures=(picture,) if by_axis or data["compared"] else (),
    )


COMPARISON = StudySection(
    measure=measure,
    show=show,
    draw=draw,
    needs="which needs finished cells",
)
