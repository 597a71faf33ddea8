"""The values that can be tuned: their ranges and scales, and the limits of the ranges."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from scaling.errors import InputError
from scaling.recipes.recipe import Recipe
from scaling.study import Job

Range = tuple[float, float]
Side = Literal["low", "high"]
EDGE = 0.05  # assumed: the best within this part of its range, on its scale, is at the edge
DIGITS = 3  # suggested are rounded values: they can be typed, and name the same model again
OF_MEMBER = ("lr", "weight_decay")  # the others make a cell of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunable:
    """A field of Recipe that may be tuned where the recipe makes use of it.

    Its first range is the published value divided and multiplied by `factor`, or `low` to `high`;
    on the complement scale, 1 - value is logarithmic. `limits` are never passed.
    """

    name: str
    scale: Literal["log", "linear", "complement"] = "log"
    factor: float | None = None
    low: float = 0.0
    high: float = 0.0
    limits: Range
    step: float  # what widens the range: a factor, or on the linear scale an amount
    whole: bool = False

    def applies(self, recipe: Recipe) -> bool:
        """Tell whether a recipe uses it: with decay in place of 0 it would be another recipe."""
        return bool(getattr(recipe, self.name) > 0)

    def first_range(self, recipe: Recipe) -> Range:
        """Return a range that holds the published value."""
        value = float(getattr(recipe, self.name))
        if self.factor:
            return self._clip((value / self.factor, value * self.factor))
        return self._clip((min(self.low, value), max(self.high, value)))

    def widened(self, within: Range, side: Side) -> Range:
        """Return the range one step wider on a side; the same range at its limit."""
        low, high = within
        if self.scale == "linear":
            low, high = (low - self.step, high) if side == "low" else (low, high + self.step)
        elif self.scale == "log":
            low, high = (low / self.step, high) if side == "low" else (low, high * self.step)
        elif side == "low":
            low = 1 - (1 - low) * self.step
        else:
            high = 1 - (1 - high) / self.step
        return self._clip((low, high))

    def position(self, value: float, within: Range) -> float:
        """Return the position of a value in a range, from 0 to 1 on its scale."""
        low, at, high = (self._scaled(x) for x in (within[0], value, within[1]))
        return (at - low) / (high - low) if high > low else 0.5

    def at(self, position: float, within: Range) -> float:
        """Return the value at a position, the inverse of `position`."""
        low, high = map(self._scaled, within)
        x = low + position * (high - low)
        if self.scale == "linear":
            return x
        return math.exp(x) if self.scale == "log" else 1 - math.exp(-x)

    def edge(self, value: float, within: Range) -> Side | None:
        """Return the end of the range at which a value lies, if it does."""
        position = self.position(value, within)
        if position < EDGE:
            return "low"
        return "high" if position > 1 - EDGE else None

    def rounded(self, value: float) -> float:
        if self.whole:
            return max(1, round(value))
        if self.scale == "complement":
            return float(f"{1 - float(f'{1 - value:.{DIGITS}g}'):.9g}")
        return float(f"{value:.{DIGITS}g}")

    @property
    def param(self) -> str:
        """Return its name in the Optuna study."""
        return f"1-{self.name}" if self.scale == "complement" else self.name

    def as_param(self, value: float) -> float:
        """Return Optuna's parameter for a value; the same function goes back."""
        if self.whole:
            return round(value)
        return 1 - value if self.scale == "complement" else value

    def _scaled(self, value: float) -> float:
        if self.scale == "linear":
            return value
        return math.log(value) if self.scale == "log" else -math.log1p(-value)

    def _clip(self, within: Range) -> Range:
        low, high = max(within[0], self.limits[0]), min(within[1], self.limits[1])
        return (float(round(low)), float(round(high))) if self.whole else (low, high)


# The ranges are assumed; where the best value is at an edge, its range is widened.
TUNABLES = {
    tunable.name: tunable
    for tunable in (
        Tunable(name="lr", factor=8, limits=(1e-7, 100.0), step=4),
        Tunable(name="weight_decay", factor=30, limits=(1e-6, 100.0), step=10),
        Tunable(name="epochs", factor=4, limits=(1, 2000), step=2, whole=True),
        Tunable(name="momentum", scale="complement", low=0.5, high=0.98, limits=(0, 0.999), step=4),
        Tunable(name="ema", scale="complement", low=0.9, high=0.9999, limits=(0, 0.999999), step=4),
        Tunable(name="dropout", scale="linear", high=0.5, limits=(0, 0.9), step=0.2),
        Tunable(name="mixup", factor=4, limits=(0.01, 10), step=2),
        Tunable(name="elastic", factor=3, limits=(0.05, 8), step=2),
        Tunable(name="label_smoothing", scale="linear", high=0.1, limits=(0, 0.8), step=0.1),
    )
}
USUAL = ("lr", "weight_decay", "epochs")  # tuned unless --space says otherwise


def choose_space(
    recipe: Recipe, names: Sequence[str] | None, *, fixed: Sequence[str] = ()
) -> tuple[Tunable, ...]:
    """Return the values to tune: those named, `all` that apply, or the usual ones.

    Raises InputError for an unknown or a fixed value, and for one that the recipe does not use.
    """
    able = [name for name, tunable in TUNABLES.items() if tunable.applies(recipe)]
    if names is None:
        names = [name for name in USUAL if name in able and name not in fixed]
    elif list(names) == ["all"]:
        names = [name for name in able if name not in fixed]
    for name in names:
        if name not in able or name in fixed:
            why = "is fixed by another option" if name in fixed else "is not a value it uses"
            free = ", ".join(n for n in able if n not in fixed)
            raise InputError(
                f"--space {name} with recipe {recipe.name}: {why}; expected one or more of {free},"
                " or all"
            )
    return tuple(TUNABLES[name] for name in dict.fromkeys(names))


def suggested(base: Job, values: Mapping[str, Any]) -> Job:
    """Return the base job with these values in its recipe and members."""
    recipe = {name: value for name, value in values.items() if name not in OF_MEMBER}
    member = {name: value for name, value in values.items() if name in OF_MEMBER}
    return replace(
        base,
        cell=replace(base.cell, recipe=replace(base.cell.recipe, **recipe)),
        members=tuple(replace(m, **member) for m in base.members),
    )


def spread(
    space: Sequence[Tunable], ranges: Mapping[str, Range], points: int
) -> list[dict[str, float]]:
    """Return values that cover the ranges evenly: a Halton sequence, as 1/4, 3/4, 1/8 ..."""
    from scipy.stats import qmc  # a second to import: not for every command

    # The first point is the corner, the second in one dimension the middle: the published value.
    drawn = qmc.Halton(len(space), scramble=False).random(points + 2)[2:]
    return [
        {t.name: t.at(float(p), ranges[t.name]) for t, p in zip(space, point, strict=True)}
        for point in drawn
    ]
