"""The result of a tuning: its best trial beside the published values, and which to use."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, stdtr

from analysis.effects.decision_rules import suggestions_differ
from analysis.results.load import Results
from analysis.results.tuning_trials import TuningTrial, read_trial
from scaling.study import OF_SIZE, complete, is_built_in

NEAR = 1.5  # assumed: trials with up to so many times the best error are as noisy as it


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """One tuning of a results folder: its plan, its trials, and the values to use."""

    name: str
    plan: Mapping[str, Any]
    trials: tuple[TuningTrial, ...]

    @property
    def space(self) -> list[Mapping[str, Any]]:
        """Return the tuned values with their ranges, as in the plan."""
        return list(self.plan["tuning"]["space"])

    @property
    def done(self) -> list[TuningTrial]:
        """Return the trials with all of their models."""
        return [trial for trial in self.trials if trial.status == "done"]

    @property
    def best(self) -> TuningTrial | None:
        """Return the trial of lowest objective; of equal ones the earliest."""
        return min(self.done, key=lambda t: (t.objective, t.number), default=None)

    @property
    def use(self) -> TuningTrial | None:
        """Return the trial to use: the best, or the published one where no trials differ."""
        return self.best if self.distinct() else self.published or self.best

    @property
    def published(self) -> TuningTrial | None:
        """Return the trial of the published values."""
        values = self.plan["tuning"]["published"]
        return next((trial for trial in self.done if trial.values == values), None)

    def edge(self, name: str) -> str | None:
        """Return the end of its range at which the best value lies; None inside of it."""
        (value,) = (v for v in self.space if v["name"] == name)
        low, high = value["edges"]
        if self.best is None or low <= self.best.values[name] <= high:
            return None
        return "low" if self.best.values[name] < low else "high"

    def noise(self) -> float | None:
        """Return the standard error of the difference of two trials near the best.

        Two or three seeds tell little of their own spread, so it is pooled: the residuals of the
        errors after the means of trials and of seeds. None with a single seed.
        """
        pooled = self._pooled()
        return pooled and pooled[0]

    def _pooled(self) -> tuple[float, int] | None:
        """Return the noise and its degrees of freedom."""
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
        """Return whether the most and the fewest misses of all trials differ beyond chance.

        The test is paired by seed, with the noise of the trials near the best, and corrected for
        the choice of the two among all pairs. Images vary as well: a difference of d misses has a
        standard error of at least sqrt(d) misses; with unknown pairs (one seed, or no trial near
        the best), of at most the square root of both counts.
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
        return suggestions_differ(float(chance), pairs)

    def alike(self) -> list[TuningTrial]:
        """Return the best, and the trials within one standard error of the difference from it."""
        best, noise = self.best, self.noise() or 0.0
        return [] if best is None else [t for t in self.done if t.error <= best.error + noise]

    def difference(self) -> dict[str, float | None] | None:
        """Return best less published, paired, as all trials have the same seeds."""
        best, published = self.best, self.published
        if best is None or published is None:
            return None
        return {"value": best.error - published.error, "se": self.noise()}

    def summary(self) -> dict[str, Any]:
        """Return the content of OUT/tuning/NAME.json."""
        asked, best, published = self.plan["tuning"], self.best, self.published
        use = self.use
        cell = self.plan["cells"][0] if self.plan["cells"] else {}
        statuses = [trial.status for trial in self.trials]
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
            "best": best.as_row() if best else None,
            "published": published.as_row() if published else None,
            "published_values": asked["published"],
            "distinct": self.distinct(),
            "use": use.as_row() if use else None,
            "difference": self.difference(),
            "space": [self._value(value) for value in self.space],
            "widened": asked["widened"],
            "edges": [v["name"] for v in self.space if self.edge(v["name"])],
            "tried": [trial.as_row() for trial in self.trials],
            "command": self.plan["command"],
        }

    def _of_built_in(self, recipe: Mapping[str, Any]) -> bool:
        """Return whether the tuned recipe is the built-in one of its name."""
        tuned = tuple(value["name"] for value in self.space)
        return is_built_in(complete({"recipe": recipe})["recipe"], but=(*OF_SIZE, *tuned))

    def _value(self, value: Mapping[str, Any]) -> dict[str, Any]:
        name, alike = value["name"], [trial.values[value["name"]] for trial in self.alike()]
        return {
            **value,
            "published": self.plan["tuning"]["published"][name],
            "best": self.best.values[name] if self.best else None,
            "edge": self.edge(name),
            "alike": [min(alike), max(alike)] if alike else None,
        }


def find_tunings(results: Results) -> list[Tuning]:
    """Return the tunings of a results folder, from their plans and the stored rows."""
    columns = ["run_id", "seed", "val_misses", "val_n", "val_loss"]
    rows = {row["run_id"]: row for row in results.models[columns].to_dict("records")}
    return [
        tuning_of(plan, rows, results.state.failed)
        for plan in results.plans.values()
        if "tuning" in plan
    ]


def tuning_of(
    plan: Mapping[str, Any],
    rows: Mapping[Any, Mapping[Any, Any]],
    failed: Callable[[str], bool],
) -> Tuning:
    """Return a tuning from its plan and the last rows of its models by run_id."""
    trials = tuple(read_trial(each, rows, failed) for each in plan["tuning"]["suggestions"])
    return Tuning(name=plan["name"], plan=plan, trials=trials)


def tuning_json(tuning: Tuning) -> bytes:
    """Return the content of OUT/tuning/NAME.json."""
    return json.dumps(tuning.summary(), indent=1, allow_nan=False).encode()
