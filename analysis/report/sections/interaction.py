"""Report whether width changes the error more with more data."""

from collections.abc import Sequence

from analysis.claims.claim import Evidence, effect_row
from analysis.effects.decision_rules import width_direction
from analysis.present.formatting import change
from analysis.present.labels import labels, shared_facts
from analysis.present.links import link, row_anchor
from analysis.report.sections.section import Data, Place, Section, StudySection, Table
from analysis.results.cell_results import LEVEL, CellResult
from analysis.results.identity import group_cells
from scaling.analyses import Interaction


def rows_of(evidence: Evidence, cells: Sequence[CellResult]) -> list[Data]:
    """Return, by recipe, the effect of width with fewest and with most images, and their ratio.

    The cells of a row differ in size and width only. Recipes without all four corners are omitted.
    """
    rows = []
    groups = group_cells(cells, ("n_train", "width"))
    titles = labels([shared_facts([cell.facts for cell in group]) for group in groups])
    for mine, title in zip(groups, titles, strict=True):
        at = {(cell.n_train, cell.width): cell for cell in mine}
        sizes, widths = sorted({n for n, _ in at}), sorted({width for _, width in at})
        corners = [(n, width) for n in (sizes[0], sizes[-1]) for width in (widths[0], widths[-1])]
        if len(set(corners)) < 4 or not at.keys() >= set(corners):
            continue
        few_small, few_large, many_small, many_large = (at[corner] for corner in corners)
        few = evidence.resampler.change(few_small, few_large)
        many = evidence.resampler.change(many_small, many_large)
        both = evidence.resampler.effect(
            [(1.0, many_large), (-1.0, many_small), (-1.0, few_large), (1.0, few_small)]
        )
        if few and many and both:
            rows.append(
                {
                    "recipe": mine[0].recipe,
                    "title": title,
                    "widths": [widths[0], widths[-1]],
                    "n_train": [sizes[0], sizes[-1]],
                    "few": effect_row(few),
                    "many": effect_row(many),
                    "interaction": effect_row(both),
                }
            )
    return rows


def sentences(part: str, rows: Sequence[Data], table: int = 2) -> tuple[str, ...]:
    """Return a sentence for each recipe, linked to its row in this table of the section."""
    return tuple(
        _sentence(row, row_anchor(part, number, table)) for number, row in enumerate(rows, 1)
    )


def _sentence(row: Data, at: str) -> str:
    few, many, both = (link(change(row[name]), at) for name in ("few", "many", "interaction"))
    return (
        f"{row['title']}: from width {row['widths'][0]:g} to {row['widths'][1]:g}"
        f" the test error changes by {few} with {row['n_train'][0]:,} images and by {many} with"
        f" {row['n_train'][1]:,}. The second relative to the first: {both}"
        f"{_verdict(row['interaction'])}."
    )


def tables(rows: Sequence[Data], level: str) -> tuple[Table, ...]:
    """Return a table with a row for each recipe; none without rows."""
    table = Table(
        caption=f"Effect of width with few images and with many; {level} intervals",
        columns=(
            *("recipe", "#from width", "#to", "#few images", "change", "#many images", "change"),
            "the second relative to the first",
        ),
        rows=tuple(
            (
                row["title"],
                *(f"{width:g}" for width in row["widths"]),
                f"{row['n_train'][0]:,}",
                change(row["few"]),
                f"{row['n_train'][1]:,}",
                change(row["many"]),
                change(row["interaction"]),
            )
            for row in rows
        ),
    )
    return (table,) if rows else ()


def measure(evidence: Evidence, place: Place, analysis: Interaction) -> Data | None:  # noqa: ARG001  it has no options yet
    """Return a row for each recipe with all four corners; None without one."""
    rows = rows_of(evidence, evidence.cells.find(place.study))
    title = f"{place.study}: width and training images"
    return {"title": title, "level": LEVEL, "rows": rows} if rows else None


def show(data: Data) -> Section:
    return Section(
        title=data["title"],
        text=sentences(data["id"], data["rows"], 1),
        tables=tables(data["rows"], f"{100 * data['level']:.0f} %"),
    )


def _verdict(interaction: Data) -> str:
    if interaction["se_log_seed"] is None:
        return " (one seed, so that no verdict rests on it)"
    return width_direction(interaction["low"], interaction["high"])


INTERACTION = StudySection(
    measure=measure,
    show=show,
    needs="which needs finished cells at two sizes and two widths, all four together",
)
