"""Explanations of a difference between two folders: cost, machines, versions, commits."""

from analysis.compare import Data
from analysis.present.formatting import NONE, number
from analysis.report.sections.section import Section, Table


def provenance(data: Data) -> Section:
    """Return a row for each possible explanation, with a mark where the folders differ."""
    a, b, cost = data["a"], data["b"], data["cost"]
    packages = sorted({*a["versions"], *b["versions"]})
    rows = [
        ("folder", *(side["out"] for side in (a, b))),
        ("studies", *(", ".join(side["studies"]) for side in (a, b))),
        ("models finished", *(f"{side['models']:,}" for side in (a, b))),
        (
            "cells finished, failed, missing",
            *(f"{s['finished']}, {s['failed']}, {s['missing']}" for s in (a, b)),
        ),
        ("models failed", *(str(side["failures"]) for side in (a, b))),
        ("seeds a cell", *(" to ".join(map(str, dict.fromkeys(s["seeds"]))) for s in (a, b))),
        ("core hours", *(f"{side['core_hours']:.3g}" for side in (a, b))),
        ("µs an example, all models", *(number(side["us_per_example"]) for side in (a, b))),
        (
            f"µs an example, the {cost['cells']} cells that both have",
            *(NONE if cost[side] is None else number(cost[side]) for side in "ab"),
        ),
        ("machines", *(str(side["machines"]) for side in (a, b))),
        ("engines", *(", ".join(side["engines"]) or NONE for side in (a, b))),
        ("devices", *(", ".join(side["devices"]) or NONE for side in (a, b))),
        ("trained (UTC)", *(f"{s['first'] or NONE} to {s['last'] or NONE}" for s in (a, b))),
        ("commits", *(", ".join(side["commits"]) or NONE for side in (a, b))),
        *((name, *(side["versions"].get(name, NONE) for side in (a, b))) for name in packages),
    ]
    table = Table(
        caption="The two folders",
        columns=("", "A", "B", "differs"),
        rows=tuple((*row, "" if row[1] == row[2] else "yes") for row in rows),
        wraps=True,
    )
    return Section(title="Cost and provenance", tables=(table,))
