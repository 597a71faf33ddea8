"""Whether width is worth more with more data, where a study has both."""

from collections.abc import Sequence

from analysis.cells import Measured
from analysis.claims.claim import Evidence, row_of
from analysis.sections.section import Data
from analysis.style import recipe_title
from analysis.words import change


def measure(e: Evidence, cells: Sequence[Measured]) -> list[Data]:
    """By recipe: what the widest network changes with fewest and with most images, and the second
    relative to the first. Recipes without all four corners are left out.
    """
    rows = []
    for recipe in dict.fromkeys(cell.recipe for cell in cells):
        mine = [cell for cell in cells if cell.recipe == recipe]
        at = {(cell.n_train, cell.width): cell for cell in mine}
        sizes, widths = sorted({n for n, _ in at}), sorted({width for _, width in at})
        corners = [(n, width) for n in (sizes[0], sizes[-1]) for width in (widths[0], widths[-1])]
        if len(set(corners)) < 4 or not at.keys() >= set(corners) or len(mine) > len(at):
            continue
        few_small, few_large, many_small, many_large = (at[corner] for corner in corners)
        few = e.resampler.change(few_small, few_large)
        many = e.resampler.change(many_small, many_large)
        both = e.resampler.effect(
            [(1.0, many_large), (-1.0, many_small), (-1.0, few_large), (1.0, few_small)]
        )
        if few and many and both:
            rows.append(
                {
                    "recipe": recipe,
                    "widths": [widths[0], widths[-1]],
                    "n_train": [sizes[0], sizes[-1]],
                    "few": row_of(few),
                    "many": row_of(many),
                    "interaction": row_of(both),
                }
            )
    return rows


def show(rows: Sequence[Data]) -> tuple[str, ...]:
    """A sentence a recipe."""
    return tuple(
        f"{recipe_title(row['recipe'])}: from width {row['widths'][0]:g} to {row['widths'][1]:g}"
        f" the test error changes by {change(row['few'])} with {row['n_train'][0]:,} images and by"
        f" {change(row['many'])} with {row['n_train'][1]:,}; the second relative to the first:"
        f" {change(row['interaction'])}{_verdict(row['interaction'])}."
        for row in rows
    )


def _verdict(interaction: Data) -> str:
    if interaction["low"] <= 0 <= interaction["high"]:
        return ", which includes none"
    return f": width is worth {'more' if interaction['high'] < 0 else 'less'} with more data"
