"""What tunings found: validation error by suggestion, the best beside the published values."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, stdtr

from analysis.results.load import Results
from scaling.study import OF_SIZE, complete, is_built_in

CHANCE = 0.05  # assumed, the usual: how often suggestions that are alike may be told apart
NEAR = 1.5  # assumed: suggestions with up to so many times the best error are as noisy as it


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningTrial:
    """A suggestion and what came of it; without `errors` where it failed or is not there yet."""

    number: int
    values: Mapping[str, float]
    status: str  # done, failed or missing
    errors: Mapping[int, float]  # by seed: the part of its validation images that was missed
    misses: int = 0
    n: int = 0  # validation images, over all seeds
    loss: float = math.nan
    objective: float = math.nan
    n_val: int = 1  # validation images of each seed

    @property
    def error(self) -> float:
        return float(np.mean(list(self.errors.values())))

    @property
    def se(self) -> float | None:
        return _se(list(self.errors.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """One tuning of a results folder."""

    name: str
    plan: Mapping[str, Any]
    tried: tuple[TuningTrial, ...]

    @property
    def space(self) -> list[Mapping[str, Any]]:
        return list(self.plan["tuning"]["space"])

    @property
    def done(self) -> list[TuningTrial]:
        return [tried for tried in self.tried if tried.status == "done"]

    @property
    def best(self) -> TuningTrial | None:
        """The lowest objective; of equal ones the earliest."""
        return min(self.done, key=lambda t: (t.objective, t.number), default=None)

    @property
    def use(self) -> TuningTrial | None:
        """The values to use: the best, or where nothing distinguishes them the published ones."""
        return self.best if self.distinct() else self.published or self.best

    @property
    def published(self) -> TuningTrial | None:
        values = self.plan["tuning"]["published"]
        return next((tried for tried in self.done if tried.values == values), None)

    def edge(self, name: str) -> str | None:
        """At which end of its range the best value lies, if at one."""
        (value,) = (v for v in self.space if v["name"] == name)
        low, high = value["edges"]
        if self.best is None or low <= self.best.values[name] <= high:
            return None
        return "low" if self.best.values[name] < low else "high"

    def noise(self) -> float | None:
        """The standard error of the difference of two suggestions, from all that are near the best.

        Two or three seeds tell little of their own spread, so it is pooled: what is left of the
        errors without the means of suggestions and of seeds. None with a single seed.
        """
        pooled = self._pooled()
        return pooled and pooled[0]

    def _pooled(self) -> tuple[float, int] | None:
        """The noise, and the degrees of freedom that it rests on."""
        best = self.best
        near = [t for t in self.done if best and t.error <= NEAR * best.error]
        seeds = len(best.errors) if best else 0
        if len(near) < 2 or seeds < 2:
            return None
        errors = np.array([[t.errors[seed] for seed in sorted(t.errors)] for t in near])
        left = errors - errors.mean(1, keepdims=True) - errors.mean(0) + errors.mean()
        freedom = (len(near) - 1) * (seeds - 1)
        return float(np.sqrt(2 * (left**2).sum() / freedom / seeds)), freedom

    def distinct(self) -> bool:
        """Whether the most and the fewest misses of all suggestions differ beyond chance.

        Paired by seed, with the noise of the suggestions near the best, and corrected for the
        choice of the two among all pairs (Bonferroni). Images alone vary as well: a difference of d
        misses has a standard error of sqrt(d) misses at least, and where one seed (or nothing near)
        leaves the pairs unknown, of the square root of both counts at most.
        """
        done, pooled = self.done, self._pooled()
        pairs = len(done) * (len(done) - 1) / 2
        fewest, most = (pick(done, key=lambda t: t.misses, default=None) for pick in (min, max))
        if fewest is None or most is None or fewest.misses == most.misses:
            return False
        apart = most.misses - fewest.misses
        discordant = apart if pooled else most.misses + fewest.misses
        chance = 2 * ndtr(-apart / discordant**0.5)
        if pooled and pooled[0]:
            chance = max(chance, 2 * stdtr(pooled[1], -apart / most.n / pooled[0]))
        return bool(pairs * chance < CHANCE)

    def alike(self) -> list[TuningTrial]:
        """The best, and those that miss no more within one standard error of the difference."""
        best, noise = self.best, self.noise() or 0.0
        return [] if best is None else [t for t in self.done if t.error <= best.error + noise]

    def difference(self) -> dict[str, float | None] | None:
        """Best less published, paired as all suggestions have the same seeds."""
        best, published = self.best, self.published
        if best is None or published is None:
            return None
        return {"value": best.error - published.error, "se": self.noise()}

    def summary(self) -> dict[str, Any]:
        """As OUT/tuning/NAME.json holds it."""
        asked, best, published = self.plan["tuning"], self.best, self.published
        use = self.use
        cell = self.plan["cells"][0] if self.plan["cells"] else {}
        statuses = [tried.status for tried in self.tried]
        return {
            "name": self.name,
            "dataset": cell.get("dataset"),
            "source": cell.get("source"),
            "n_train": cell.get("n_train"),
            "width": cell.get("width"),
            "model": cell.get("model"),
            "recipe": cell.get("recipe", {}).get("name"),
            "built_in": self._of_built_in(cell.get("recipe", {})),
            "epochs": sorted({c["recipe"]["epochs"] for c in self.plan["cells"]}),
            "fixed": asked["fixed"],
            "seeds": sorted({m["seed"] for c in self.plan["cells"] for m in c["members"]}),
            "suggestions": {
                "asked": asked["total"],
                **{status: statuses.count(status) for status in ("done", "failed", "missing")},
            },
            "best": _row(best) if best else None,
            "published": _row(published) if published else None,
            "published_values": asked["published"],
            "distinct": self.distinct(),
            "use": _row(use) if use else None,
            "difference": self.difference(),
            "space": [self._value(value) for value in self.space],
            "widened": asked["widened"],
            "edges": [v["name"] for v in self.space if self.edge(v["name"])],
            "tried": [_row(tried) for tried in self.tried],
            "command": self.plan["command"],
        }

    def _of_built_in(self, recipe: Mapping[str, Any]) -> bool:
        """Whether the recipe that was tuned is the one that its name stands for."""
        tuned = tuple(value["name"] for value in self.space)
        return is_built_in(complete({"recipe": recipe})["recipe"], but=(*OF_SIZE, *tuned))

    def _value(self, value: Mapping[str, Any]) -> dict[str, Any]:
        name, alike = value["name"], [tried.values[value["name"]] for tried in self.alike()]
        return {
            **value,
            "published": self.plan["tuning"]["published"][name],
            "best": self.best.values[name] if self.best else None,
            "edge": self.edge(name),
            "alike": [min(alike), max(alike)] if alike else None,
        }


def find_tunings(results: Results) -> list[Tuned]:
    """The tunings that a results folder holds, from their plans and the stored rows."""
    columns = ["run_id", "seed", "val_misses", "val_n", "val_loss"]
    rows = {row["run_id"]: row for row in results.models[columns].to_dict("records")}
    return [
        tuned_of(plan, rows, results.state.failed)
        for plan in results.plans.values()
        if "tuning" in plan
    ]


def tuned_of(
    plan: Mapping[str, Any],
    rows: Mapping[Any, Mapping[Any, Any]],
    failed: Callable[[str], bool],
) -> Tuned:
    """A tuning from its plan and the last rows of its models by run_id."""
    tried = tuple(_tried(each, rows, failed) for each in plan["tuning"]["suggestions"])
    return Tuned(name=plan["name"], plan=plan, tried=tried)


def objective(rows: Sequence[Mapping[Any, Any]]) -> float:
    """Return the objective of a tuning from the last rows of a suggestion's models, ties broken.

    It is the mean validation error; equal misses are told apart by the loss, which counts for less
    than half a miss. Misses are what the study is about, and losses of recipes do not compare.
    """
    loss = _loss(rows)
    half = 0.5 * loss / (1 + loss) if math.isfinite(loss) else 0.5
    misses, n = (sum(int(row[key]) for row in rows) for key in ("val_misses", "val_n"))
    return (misses + half) / n


def tuning_json(tuned: Tuned) -> bytes:
    """Return the content of OUT/tuning/NAME.json."""
    return json.dumps(tuned.summary(), indent=1, allow_nan=False).encode()


def _tried(
    suggestion: Mapping[str, Any],
    rows: Mapping[Any, Mapping[Any, Any]],
    failed: Callable[[str], bool],
) -> TuningTrial:
    runs, number, values = (suggestion[key] for key in ("run_ids", "number", "values"))
    if any(failed(run) for run in runs):
        return TuningTrial(number=number, values=values, status="failed", errors={})
    if any(run not in rows for run in runs):
        return TuningTrial(number=number, values=values, status="missing", errors={})
    found = [rows[run] for run in runs]
    return TuningTrial(
        number=number,
        values=values,
        status="done",
        errors={int(row["seed"]): row["val_misses"] / row["val_n"] for row in found},
        misses=int(sum(row["val_misses"] for row in found)),
        n=int(sum(row["val_n"] for row in found)),
        loss=_loss(found),
        objective=objective(found),
        n_val=int(found[0]["val_n"]),
    )


def _loss(rows: Sequence[Mapping[Any, Any]]) -> float:
    return float(sum(row["val_loss"] for row in rows)) / len(rows)


def _row(tried: TuningTrial) -> dict[str, Any]:
    known = tried.status == "done"
    return {
        "number": tried.number,
        "values": dict(tried.values),
        "status": tried.status,
        "val_error": tried.error if known else None,
        "se": tried.se if known else None,
        "val_loss": tried.loss if known and math.isfinite(tried.loss) else None,
    }


def _se(values: Sequence[float]) -> float | None:
    """The standard error of a mean; unknown for one value."""
    return float(np.std(values, ddof=1) / len(values) ** 0.5) if len(values) > 1 else None
