"""The comparison of two results folders as words and tables, made of nothing but its numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.compare import FEWER, MORE, Data
from analysis.compare.matching import SAME
from analysis.compare.provenance import provenance
from analysis.present.formatting import (
    NONE,
    change,
    done_of_planned,
    interval,
    number,
    p_value,
    percent,
    size,
)
from analysis.present.links import link, row_anchor, table_anchor
from analysis.report.sections.section import Picture, Section, Table

FIGURE = "comparison"
PARAMETERS = {"alpha": "exponent alpha", "E": "floor E"}


def headline(data: Data) -> str:
    """What has changed, in a few sentences."""
    empty = [side for side in "ab" if not data[side]["models"]]
    if empty:
        sides = " and ".join(side.upper() for side in empty)
        return (
            f"{sides} {'have' if len(empty) > 1 else 'has'} no finished model: nothing to compare."
        )
    if data["nothing_differs"]:
        return (
            f"Nothing differs: A and B hold the same {data['models_common']:,} models, and every"
            " loss, count and prediction of theirs is the same, bit by bit."
        )
    only_a, only_b = len(data["only_a"]), len(data["only_b"])
    alone = "No cell is in one of them only."
    if only_a or only_b:
        alone = (
            f"Only in A: {link(str(only_a), 'only')} cells, only in B: {link(str(only_b), 'only')}."
        )
    if not data["rows"]:
        return f"No cell of A has a counterpart in B. {alone}"
    rows = data["rows"]
    said = [f"{len(rows)} cell{'s' if len(rows) > 1 else ''} can be compared"]
    if data["identical"]:
        said.append(f", {data['identical']} of them identical, bit by bit, in what both have")
    said.append(f". {_changed(data)}" if data["identical"] < len(rows) else ".")
    if data["one_seed"]:
        said.append(f" {data['one_seed']} have a single seed, by which nothing can be told.")
    return f"{''.join(said)} {alone}"


def _changed(data: Data) -> str:
    level = f"{100 * data['alpha']:.0f} %"
    if not data["tested"]:
        return "None could be tested."
    changed = data["fewer"] + data["more"]
    said = (
        f"Beyond noise (Holm's correction over {data['tested']} tests at {level}),"
        f" {link(str(changed), table_anchor('changed'))} changed: {data['fewer']} with fewer misses"
        f" in B, {data['more']} with more."
        if changed
        else f"None of the {link(str(data['tested']), table_anchor('changed'))} that were tested"
        f" changed beyond noise (Holm's correction at {level})."
    )
    known = [i for i, row in enumerate(data["rows"]) if row["verdict"] in (FEWER, MORE)]
    if not known:
        return said
    i = max(known, key=lambda i: size(data["rows"][i]["change"]))
    row = data["rows"][i]
    return (
        f"{said} Most: {cell_title(row['a'], row['b'])}, by"
        f" {link(change(row['change']), row_anchor('changed', i + 1))}."
    )


def cell_title(a: Data, b: Data | None = None) -> str:
    """A cell in a few words, or a pair of them: what differs is said of both."""
    title = _both([a["title"], (b or a)["title"]])
    return f"“{title}” on {a['n_train']:,} images of {a['dataset']}, width {a['width']:g}"


def sections(data: Data) -> list[tuple[str, Section]]:
    """The parts of the page by their anchors; those with nothing to say are left out."""
    parts = []
    if data["rows"]:
        parts.append(("changed", _cells(data)))
    if data["only_a"] or data["only_b"]:
        parts.append(("only", _only(data)))
    if data["laws"]:
        parts.append(("laws", _laws(data["laws"])))
    return [*parts, ("provenance", provenance(data))]


def _cells(data: Data) -> Section:
    level = f"{100 * data['level']:.0f} %"
    table = Table(
        caption=f"Test errors with {level} intervals, and the change from A to B; p by Holm",
        columns=(
            *("recipe", "data", "#images", "#width", "#epochs", "#error in A", "interval"),
            *("#error in B", "interval", "change", "p", "p (Holm)", "verdict", "paired by"),
            *("#seeds in A", "#in B", "#in both", "match"),
        ),
        rows=tuple(map(_cell_row, data["rows"])),
    )
    text = (
        "Cells are paired by seed and test image where both have them, by test image where only"
        " the seeds differ, else by nothing. Each interval stands for itself; the verdict is by p"
        f" after Holm's correction, at {100 * data['alpha']:.0f} %. A cell without its like in the"
        " other folder is compared with the only one of the same data, size and width there, if"
        " there is one: the last column says so."
    )
    picture = Picture(
        name=FIGURE,
        alt="The test error of each cell in B against that in A, with the diagonal",
        caption=f"Each cell's test error in both folders with {level} intervals. Filled: changed"
        " beyond noise. On the diagonal nothing has changed.",
    )
    return Section(title="Cells in both", text=(text,), tables=(table,), pictures=(picture,))


def _cell_row(row: Data) -> tuple[str, ...]:
    a, b = row["a"], row["b"]
    return (
        _both([a["title"], b["title"]]),
        a["dataset"],
        f"{a['n_train']:,}",
        f"{a['width']:g}",
        _both([str(cell["epochs"]) for cell in (a, b)]),
        percent(a["error"]),
        interval([a["low"], a["high"]], percent=True),
        percent(b["error"]),
        interval([b["low"], b["high"]], percent=True),
        change(row["change"]),
        p_value(row["p"]),
        p_value(row["p_holm"]),
        row["verdict"],
        row["paired_by"],
        done_of_planned(a["seeds"], a["planned"]),
        done_of_planned(b["seeds"], b["planned"]),
        str(row["seeds_common"]),
        row["match"] + (f" ({', '.join(row['differing'])})" if row["match"] != SAME else ""),
    )


def _only(data: Data) -> Section:
    tables = tuple(
        Table(
            caption=f"Only in {side.upper()}",
            columns=(
                "recipe",
                "data",
                "#images",
                "#width",
                "#epochs",
                "#error",
                "interval",
                "#seeds",
            ),
            rows=tuple(
                (
                    cell["title"],
                    cell["dataset"],
                    f"{cell['n_train']:,}",
                    f"{cell['width']:g}",
                    str(cell["epochs"]),
                    percent(cell["error"]),
                    interval([cell["low"], cell["high"]], percent=True),
                    done_of_planned(cell["seeds"], cell["planned"]),
                )
                for cell in data[f"only_{side}"]
            ),
        )
        for side in "ab"
        if data[f"only_{side}"]
    )
    return Section(title="Cells in one folder only", tables=tables)


def _laws(laws: Sequence[Data]) -> Section:
    table = Table(
        caption=f"Fitted to the sizes that both have; {100 * laws[0]['level']:.0f} % intervals",
        columns=("curve", "form", "sizes", "parameter", "in A", "in B", "B less A", "verdict"),
        rows=tuple(
            (
                _curve(row),
                row["title"],
                f"{row['n_train'][0]:,} to {row['n_train'][-1]:,} ({len(row['n_train'])})",
                PARAMETERS[name],
                f"{number(value['a'])} ({interval(value['interval_a'])})",
                f"{number(value['b'])} ({interval(value['interval_b'])})",
                _less(value),
                _verdict(value["interval"]),
            )
            for row in laws
            for name, value in row["params"].items()
        ),
    )
    text = (
        "Both curves are fitted on the same draws of test images, and of seeds where these are the"
        " same, so that what they have in common cancels in the difference; there is no correction"
        " for the number of curves."
    )
    return Section(title="Fits", text=(text,), tables=(table,))


def _curve(row: Data) -> str:
    epochs = _both([str(n) for n in row["epochs"]])
    return f"{_both(row['titles'])}, {row['dataset']}, width {row['width']:g}, {epochs} epochs"


def _less(value: Mapping[str, Any]) -> str:
    ends = value["interval"]
    shown = f"{value['difference']:+.2g}"
    return f"{shown} (unknown)" if ends is None else f"{shown} ({ends[0]:+.2g} to {ends[1]:+.2g})"


def _verdict(ends: Sequence[float] | None) -> str:
    if ends is None:
        return NONE
    if ends[0] <= 0 <= ends[1]:
        return "includes no difference"
    return "lower in B" if ends[1] < 0 else "higher in B"


def _both(pair: Sequence[str]) -> str:
    return pair[0] if pair[0] == pair[1] else f"{pair[0]} → {pair[1]}"
