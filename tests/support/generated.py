"""Generate studies whose recipes share names, and check that a report names each of its rows."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from scaling.older_plans import READ_AS
from scaling.recipes.registry import find_recipe
from scaling.recipes.tricks import cosine, dropout, gelu, shift
from scaling.study import Cell, Grid, Start, Study

CE, OLD, MODERN = (find_recipe(name) for name in ("ce", "1989", "dropout_relu"))
SAME_NAME = shift(gelu(CE))  # of another content, and still called ce
RECIPES = (
    *(CE, SAME_NAME, gelu(CE), dropout(CE), cosine(CE), replace(CE, lr=0.02)),
    *(replace(CE, momentum=0.5), OLD, gelu(OLD), MODERN, gelu(MODERN)),
    *(replace(MODERN, weight_decay=0.02), replace(OLD, name="CE"), replace(OLD, name="ce_")),
)
STARTS = (
    None,
    Start(dataset="usps", n_train=911, recipe="1989"),
    Start(dataset="usps", n_train=911, recipe=CE),
    Start(dataset="usps", n_train=1823, recipe=replace(CE, lr=0.02)),
)
# What names a row; all else in it was measured.
NAMING = {
    *("", "recipe", "run", "curve", "training images", "images", "from", "to", "epochs", "width"),
    *("batch", "multiplications", "learning rate", "data", "form", "parameter", "trick", "with"),
    *("fitted to sizes up to", "predicted on", "one", "other", "engine", "on", "study", "begun"),
    *("FLOP", "command", "from width", "few images", "many images", "best epochs", "tried"),
    *("quantity", "trend", "source", "contents"),
}


def error_of(cell: Cell) -> float:
    return min(0.5, 2 * cell.n_train**-0.4 / cell.width**0.2)


def generated(name: str, seed: int, sizes: tuple[int, ...] = (911, 1823)) -> Study:
    """Return a study of three grids, each of some values of every axis."""
    rng = np.random.default_rng(seed)

    def some(values: Sequence[Any], most: int) -> tuple[Any, ...]:
        chosen = rng.permutation(len(values))[: rng.integers(1, most + 1)]
        return tuple(values[i] for i in sorted(chosen))

    def grid(first: bool) -> Grid:
        vit = not first and rng.uniform() < 0.4
        plain = tuple(r for r in RECIPES if r.norm == "none")
        return Grid(
            dataset=("mnist",),
            n_train=sizes,
            n_test=some(("all", 2007), 2),
            split="tune" if name in ("epochs", "screening") or rng.uniform() < 0.3 else "none",
            width=(1.0,) if vit else some((1.0, 2.0, 4.0), 2),
            recipe=(CE, SAME_NAME) if first else some(plain, 3),
            epochs=None if rng.uniform() < 0.5 else some((5, 10, 20), 2),
            seeds=(0, 1),
            model=("micro_vit",) if vit else ("lecun1989",),
            lr=None if rng.uniform() < 0.6 else some((0.02, 0.05), 1)[0],
            batch_size=None if rng.uniform() < 0.7 else 4,
            start=None if vit else some(STARTS, 1)[0],
        )

    grids = (grid(True), grid(False), grid(False))
    return Study(name=name, question="?", grids=grids, analyses=READ_AS.get(name, ()))


def tables(text: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Return each table of a report with its heading; columns of one name are numbered."""
    heading, lines = "", text.splitlines()
    for i, line in enumerate(lines):
        if line.startswith("#"):
            heading = line
        if not (
            line.startswith("|") and i + 1 < len(lines) and re.fullmatch(r"\|[-:|]+", lines[i + 1])
        ):
            continue
        columns = [cell.strip() for cell in line.strip("|").split("|")]
        rows = []
        for row in lines[i + 2 :]:
            if not row.startswith("|"):
                break
            values = [cell.strip() for cell in row.strip("|").split(" | ")]
            pairs = zip(columns, values, strict=True)
            rows.append({f"{c}#{columns[:k].count(c)}": v for k, (c, v) in enumerate(pairs)})
        yield heading, rows


def check_tables(text: str) -> None:
    found = list(tables(text))
    assert found
    for heading, rows in found:
        named = [tuple(v for c, v in row.items() if c.split("#")[0] in NAMING) for row in rows]
        assert all(named), (heading, rows[:1])
        twice = {name for name in named if named.count(name) > 1}
        assert not twice, (heading, twice)
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert len(set(headings)) == len(headings)
    fits = [line.split("$")[0] for line in text.splitlines() if line.startswith("- ")]
    assert len(set(fits)) == len(fits)


def check_legend(figure: Any) -> None:
    """Check that no two things of a figure have one label, or one colour and marker."""
    for ax in figure.axes:
        handles, names = ax.get_legend_handles_labels()
        assert len(set(names)) == len(names)
        lines = [handle[0] for handle in handles if isinstance(handle, tuple)]
        styles = {
            (line.get_color(), line.get_marker(), line.get_markerfacecolor()) for line in lines
        }
        assert len(styles) == len(lines)
    for legend in figure.legends:
        names = [text.get_text() for text in legend.get_texts()]
        assert len(set(names)) == len(names)
