"""The compiled engine's kernels: each alone in a process, then in pairs in every order.

A loaded kernel must not change a bit of another kernel's results.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np

from scaling.check.agreement import CPU, cell_of, compare_with_reference, distances, recipe
from scaling.check.cases import Case, Outcome, noise, train_all
from scaling.engines import Trained
from scaling.recipes.ladder import BASELINE, MODERN
from scaling.recipes.recipe import Recipe
from scaling.study import make_members


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Recipes that share a compilation; pairs use the first."""

    width: int = 1
    recipes: tuple[tuple[str, Recipe], ...]


def _of(*names: str, width: int = 1) -> Kind:
    return Kind(width=width, recipes=tuple((name, recipe(name)) for name in names))


_CURVED = recipe("twisted_tanh", optimizer="sdlm", lr=3e-4)

KINDS = {
    "tanh-sgd": _of(BASELINE, "ce"),
    "relu-adamw": _of(MODERN, "label_smoothing"),
    "gelu-adamw": _of("gelu"),
    "twisted-scaled": Kind(recipes=(("twisted_tanh, second order", _CURVED),)),
}
PAIRS = tuple(permutations(KINDS, 2))
MORE_KINDS = {"tanh-adamw": _of("adamw", "augment")} | {
    f"{name}-w{width}": _of(KINDS[name].recipes[0][0], width=width)
    for width in (2, 4, 8)
    for name in ("tanh-sgd", "relu-adamw")
}


def alone_cases(name: str, folder: Path) -> Iterator[Case]:
    """Yield cases that compare a kind's recipes with the reference; save the first's weights."""
    kind, data = (KINDS | MORE_KINDS)[name], noise()
    for number, (title, how) in enumerate(kind.recipes):
        cell = cell_of(data, how, width=kind.width)
        members = make_members(how, [0])

        def run(cell=cell, members=members, first=number == 0) -> Outcome:  # type: ignore[no-untyped-def]
            ours = train_all(cell, members, data, "compiled")
            if first:
                part = folder / f".{name}.npz"
                np.savez(part, **ours[0].weights)  # type: ignore[arg-type]
                part.replace(_weights_file(folder, name))
            return compare_with_reference(cell, members, ours, data, CPU)

        yield Case(name=f"{title}, width {kind.width}", run=run)


def pair_cases(first: str, second: str, folder: Path) -> Iterator[Case]:
    """Yield the case that trains one kind, another, the first again, and compares their weights."""

    def run() -> Outcome:
        missing = [name for name in (first, second) if not _weights_file(folder, name).exists()]
        if missing:
            text = f"not compared: {' and '.join(missing)} did not train alone"
            return Outcome(text=text, compared=False)
        worst = {}
        for turn, name in enumerate((first, second, first)):
            with np.load(_weights_file(folder, name)) as alone:
                worst[f"{turn + 1}. {name}"] = float(distances(_train(name).weights, alone).max())
        beyond = [f"{name} by {value:.2g}" for name, value in worst.items() if value != 0]
        return Outcome(
            text="the same bits as alone",
            figures=worst,
            problem=f"other bits than alone: {', '.join(beyond)}" if beyond else None,
        )

    yield Case(name=f"{first}, then {second}", run=run)


def _train(name: str) -> Trained:
    data, (_, how) = noise(), KINDS[name].recipes[0]
    (result,) = train_all(cell_of(data, how), make_members(how, [0]), data, "compiled")
    return result


def _weights_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.npz"
