"""Stored figures, and how a refactoring is held against them: figures/NAME.json.

`ACCEPTANCE_WRITE=1 make acceptance` writes them anew instead of comparing. That is legitimate only
for a change that is meant to change figures (another rule of fitting, another recipe, a new section
of the report), in a commit of its own which says why; never to make a refactoring pass.
"""

import json
import math
import os
from collections.abc import Iterator
from typing import Any

from acceptance.commands import HERE

FOLDER = HERE / "figures"
WRITE = os.environ.get("ACCEPTANCE_WRITE") == "1"
# Fits end where their steps become small, and sums of other processors' BLAS and LAPACK differ in
# the last digits: with AVX2 in place of AVX-512 the figures here moved by at most 8e-7 of their
# size, and those near zero by 8e-10.
RELATIVE, ABSOLUTE = 2e-6, 1e-8
DIGITS = 10  # of what is stored

# Words that a conclusion consists of, or that say which one it is; all others are prose.
WORDS = {"verdict", "status", "form", "recipe", "id", "row", "trick", "tricks", "base", "objective"}
WORDS |= {"cell_id", "default", "name", "study", "upper_bounds"}
# What an entry of a list goes by, where that tells all its entries apart; else by its number.
NAMES = ("id", "study", "cell_id", "name", "row", "recipe", "form", "trick")
# When, where and from what command; `methods` has dates, commits and versions.
VOLATILE = {"command", "made_at", "methods"}


def check(name: str, found: Any) -> None:
    """Compare figures with the stored ones of this name; fail with the paths that differ."""
    found = pruned(found)
    if WRITE:
        write(name, found)
        return
    wrong = differences(read(name), found)
    shown = "\n".join(wrong[:20])
    assert not wrong, f"{len(wrong)} figures are not those of {name}.json:\n{shown}"


def read(name: str) -> Any:
    """Return the stored figures of a name."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def write(name: str, figures: Any) -> None:
    """Store figures, with a line for each part, so that a difference can be read."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(laid_out(figures) + "\n", encoding="utf-8")


def laid_out(value: Any, depth: int = 2) -> str:
    """Return JSON that is broken into lines down to some depth."""
    if depth and value and isinstance(value, dict):
        lines = [f"{json.dumps(key)}:{laid_out(item, depth - 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + "\n}"
    if depth and value and isinstance(value, list):
        return "[\n" + ",\n".join(laid_out(item, depth - 1) for item in value) + "\n]"
    return json.dumps(value, separators=(",", ":"))


def pruned(value: Any) -> Any:
    """Return numbers, nulls and the words of conclusions; leave out prose and what is volatile."""
    if isinstance(value, dict):
        kept = {
            key: item if key in WORDS else pruned(item)
            for key, item in value.items()
            if key not in VOLATILE and (key in WORDS or not isinstance(item, str))
        }
        return {key: item for key, item in kept.items() if item not in ({}, [])}
    if isinstance(value, list):
        return [pruned(item) for item in value if not isinstance(item, str)]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def differences(expected: Any, found: Any) -> list[str]:
    """Return a line for each path at which two figures differ, or where only one has a figure.

    Words, nulls and flags may be new: a page learns to say more. A number that is new is told.
    """
    a, b = dict(leaves(expected)), dict(leaves(found))
    lines = [f"{path} is missing, expected {a[path]}" for path in a.keys() - b.keys()]
    lines += [f"{path} is new: {b[path]}" for path in b.keys() - a.keys() if is_number(b[path])]
    both = (path for path in a if path in b)
    lines += [f"{path}: {b[path]}, expected {a[path]}" for path in both if far(a[path], b[path])]
    return sorted(lines)


def far(expected: Any, found: Any) -> bool:
    """Tell whether two leaves differ by more than the last digits of a floating-point number."""
    numbers = is_number(expected), is_number(found)
    if all(numbers):
        return not math.isclose(expected, found, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return any(numbers) or bool(expected != found)


def is_number(value: Any) -> bool:
    """Tell a number from True and False, which Python takes for numbers."""
    return type(value) in (int, float)


def named(entries: list[Any]) -> dict[Any, Any]:
    """Return the entries of a list by their names, so that one more does not shift the others."""
    for name in NAMES:
        if all(isinstance(entry, dict) and isinstance(entry.get(name), str) for entry in entries):
            found = {entry[name]: entry for entry in entries}
            if len(found) == len(entries):
                return found
    return dict(enumerate(entries))


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Give each leaf with its path."""
    if isinstance(value, dict | list) and value:
        items = value if isinstance(value, dict) else named(value)
        for key, item in items.items():
            yield from leaves(item, f"{path}/{key}")
    else:
        yield path, value
