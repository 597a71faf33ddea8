"""Describe each recipe of a folder in words: what all of them share, and what each has apart."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from analysis.present.formatting import NONE
from analysis.present.labels import AROUND, CONTENT, labels
from analysis.report.sections.section import Data, Section, Table
from analysis.results.identity import RATES, facts_of
from analysis.results.load import Results
from scaling.study import Recipe

NAME = "recipes"
SHOWN = 24  # recipes that are printed
ALWAYS = ("model", "loss", "activation", "output", "optimizer", "batch_size")
RANGES = ("epochs", *RATES)  # a recipe may have several values
DEFAULTS = {field.name: field.default for field in fields(Recipe)}
WORDS = {"model": AROUND["model"], **CONTENT, "batch_size": AROUND["batch_size"]}


def measure(results: Results) -> Data | None:
    """Return the fields that all recipes share and, by recipe, its other fields and its rates."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for cell in results.study_cells:
        facts = facts_of(cell)
        key = {name: facts[name] for name in ("recipe", *WORDS)}
        own = [{**facts, **{name: m[name] for name in RATES}} for m in cell["members"]]
        groups.setdefault(json.dumps(key), []).extend(own)
    if not groups:
        return None
    recipes = [members[0] for members in groups.values()]
    told = [name for name in WORDS if name in ALWAYS or any(_is_set(name, r) for r in recipes)]
    shared = [name for name in told if len({json.dumps(r[name]) for r in recipes}) == 1]
    return {
        "shared": {name: recipes[0][name] for name in shared},
        "rows": [
            {
                "title": title,
                **{name: sorted({m[name] for m in members}) for name in RANGES},
                "own": {name: members[0][name] for name in told if name not in shared},
            }
            for title, members in zip(
                labels(recipes, shown=(*told, *RANGES)), groups.values(), strict=True
            )
        ],
    }


def show(data: Data) -> Section:
    rows = data["rows"]
    subject = "The recipe has" if len(rows) == 1 else f"All {len(rows)} recipes share"
    text = [f"{subject}: {_words(data['shared'])}."] if data["shared"] else []
    if len(rows) > SHOWN:
        text.append(f"The table has the first {SHOWN} recipes; numbers.json has all {len(rows)}.")
    return Section(
        title="The recipes",
        text=tuple(text),
        tables=(
            Table(
                caption="What each recipe has apart, and its rates in the first epoch",
                columns=("recipe", "contents", "#epochs", "#learning rate", "#weight decay"),
                rows=tuple(
                    (row["title"], _words(row["own"]), *(_range(row[name]) for name in RANGES))
                    for row in rows[:SHOWN]
                ),
                wraps=True,
            ),
        ),
    )


def _is_set(name: str, facts: Mapping[str, Any]) -> bool:
    return bool(facts[name] != DEFAULTS.get(name))


def _words(fields: Mapping[str, Any]) -> str:
    return ", ".join(WORDS[name](value) for name, value in fields.items()) or NONE


def _range(values: Sequence[float]) -> str:
    few: Iterable[float] = values if len(values) <= 3 else (values[0], values[-1])
    return (", " if len(values) <= 3 else " to ").join(f"{value:.4g}" for value in few)
