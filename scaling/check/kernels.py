"""The compiled engine's kernels: each alone in a process, then pairs of them in every order.

No kernel that a process has loaded may change a bit of another kernel's model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np

from scaling.check.agreement import CPU, beside_reference, cell_of, distances, recipe
from scaling.check.cases import Case, Found, noise, trained
from scaling.engines import Trained
from scaling.recipes.recipe import Recipe
from scaling.study import make_members


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Recipes that one compilation serves; the first stands for them in pairs."""

    width: int = 1
    recipes: tuple[tuple[str, Recipe], ...]


def _of(*names: str, width: int = 1) -> Kind:
    return Kind(width=width, recipes=tuple((name, recipe(name)) for name in names))


_CURVED = recipe("twisted_tanh", optimizer="sdlm", lr=3e-4)

KINDS = {
    "tanh-sgd": _of("1989", "ce"),
    "relu-adamw": _of("dropout_relu", "label_smoothing"),
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
    """Compile a kind, compare its recipes with the reference, keep the weights of the first."""
    kind, data = (KINDS | MORE_KINDS)[name], noise()
    for number, (title, how) in enumerate(kind.recipes):
        cell = cell_of(data, how, width=kind.width)
        members = make_members(how, [0])

        def run(cell=cell, members=members, first=number == 0) -> Found:  # type: ignore[no-untyped-def]
            ours = trained(cell, members, data, "compiled")
            if first:
                part = folder / f".{name}.npz"
                np.savez(part, **ours[0].weights)  # type: ignore[arg-type]
                part.replace(_kept(folder, name))
            return beside_reference(cell, members, ours, data, CPU)

        yield Case(name=f"{title}, width {kind.width}", run=run)


def pair_cases(first: str, second: str, folder: Path) -> Iterator[Case]:
    """Train one kind, another, the first again; compare each with its own weights alone."""

    def run() -> Found:
        lacking = [name for name in (first, second) if not _kept(folder, name).exists()]
        if lacking:
            text = f"not compared: {' and '.join(lacking)} did not train alone"
            return Found(text=text, compared=False)
        worst = {}
        for turn, name in enumerate((first, second, first)):
            with np.load(_kept(folder, name)) as alone:
                worst[f"{turn + 1}. {name}"] = float(distances(_train(name).weights, alone).max())
        beyond = [f"{name} by {value:.2g}" for name, value in worst.items() if value != 0]
        return Found(
            text="the same bits as alone",
            figures=worst,
            problem=f"other bits than alone: {', '.join(beyond)}" if beyond else None,
        )

    yield Case(name=f"{first}, then {second}", run=run)


def _train(name: str) -> Trained:
    data, (_, how) = noise(), KINDS[name].recipes[0]
    (result,) = trained(cell_of(data, how), make_members(how, [0]), data, "compiled")
    return result


def _kept(folder: Path, name: str) -> Path:
    return folder / f"{name}.npz"
