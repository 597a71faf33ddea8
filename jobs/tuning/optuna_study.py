"""The Optuna study of one tuning, kept beside the results.

Optuna's journal holds the suggestions, the Parquet files their results. A suggestion whose models
are stored already, by any sweep, is never trained again.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.storages.journal import JournalStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from jobs.tuning.journal import DAMAGE, Journal
from jobs.tuning.objective import run_ids, stored_objective
from jobs.tuning.search_space import EDGE, Range, Side, Tunable, spread, suggested
from scaling.errors import InputError
from scaling.store.plan_schema import TUNING
from scaling.store.store import Store
from scaling.study import Job, cell_identity
from scaling.untrusted import conform

optuna.logging.set_verbosity(optuna.logging.WARNING)
STARTUP = 8  # assumed: the published values and 7 spread evenly, before the sampler concludes
PATIENCE = 4  # assumed: suggestions that an end of a range gets before it is moved again
SEED = 1989  # of the sampler
MOST_REPEATS = 50  # in a row: then there is nothing new to try


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """Values to try, and the job that tries them."""

    number: int
    values: Mapping[str, float]
    job: Job


class Suggestions:
    """Ask the Optuna study for values, up to a total, and report their stored results to it.

    Raises InputError where a study of this name was begun with another cell, seeds or space.
    """

    def __init__(
        self, name: str, base: Job, space: tuple[Tunable, ...], total: int, store: Store
    ) -> None:
        self.base, self.space, self.total, self.store = base, space, total, store
        self.published = {t.name: getattr(base.cell.recipe, t.name) for t in space}
        journal = f"tuning/{name}.journal"
        try:
            self.study = optuna.create_study(
                study_name=name,
                storage=JournalStorage(Journal(store, journal)),
                direction="minimize",
                load_if_exists=True,
            )
            self._begin(name)
            self.known = self._known()
            conform({"fixed": {}, **self.describe()}, TUNING)
            self.best()
        except DAMAGE as error:
            raise InputError(
                f"{store.address(journal)} is no journal of a tuning ({type(error).__name__}:"
                f" {' '.join(str(error).split())[:200]}): delete it and run the same command"
                " again; stored models are not trained again"
            ) from error
        self._again = [
            number for number in self.known if not self.study.trials[number].state.is_finished()
        ]

    @property
    def ranges(self) -> dict[str, Range]:
        stored = self.study.user_attrs["ranges"]
        return {name: (low, high) for name, (low, high) in stored.items()}

    @property
    def widened(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.study.user_attrs["widened"]
        return found

    def next(self) -> Suggestion | None:
        """Return the next suggestion, interrupted ones first; None once there are enough."""
        while self._again:
            again = self.known[self._again.pop(0)]
            if not self.settle(again):
                return again
        repeats = 0
        while len(self.known) < self.total and repeats < MOST_REPEATS:
            new = self._ask()
            if new is None:
                repeats += 1
            elif not self.settle(new):
                return new
        return None

    def settle(self, suggestion: Suggestion) -> bool:
        """Report a suggestion's stored results to the sampler; return whether they are complete.

        A model that became NaN makes its suggestion a pruned one: worse than all others.
        """
        value = stored_objective(suggestion.job, self.store)
        if value is None:
            return False
        if math.isfinite(value):
            self.study.tell(suggestion.number, value)
        else:
            self.study.tell(suggestion.number, state=TrialState.PRUNED)
        self._widen()
        return True

    def finished(self) -> dict[int, float | None]:
        """Return the objective of each settled suggestion by number; None for a failed one."""
        return {
            trial.number: trial.value
            for trial in self.study.get_trials(deepcopy=False)
            if trial.number in self.known and trial.state.is_finished()
        }

    def best(self) -> Suggestion | None:
        values = {n: v for n, v in self.finished().items() if v is not None}
        return self.known[min(values, key=lambda n: (values[n], n))] if values else None

    def describe(self) -> dict[str, Any]:
        """Return the tuning for the plan; the analysis adds the results from the Parquet files."""
        first, ranges = self.study.user_attrs["first"], self.ranges
        edges = {t.name: [t.at(p, ranges[t.name]) for p in (EDGE, 1 - EDGE)] for t in self.space}
        return {
            "total": max(self.total, len(self.known)),
            "published": self.published,
            "space": [
                {
                    "name": t.name,
                    "scale": t.scale,
                    "range": list(ranges[t.name]),
                    "first_range": first[t.name],
                    "edges": edges[t.name],
                    "limits": list(t.limits),
                }
                for t in self.space
            ],
            "widened": self.widened,
            "suggestions": [
                {"number": s.number, "values": dict(s.values), "run_ids": run_ids(s.job)}
                for s in self.known.values()
            ],
        }

    def _ask(self) -> Suggestion | None:
        """Return a new suggestion; None where its rounded values have been tried already."""
        self._seed(len(self.study.get_trials(deepcopy=False)))
        new = self._fill(self.study.ask())
        if any(new.values == known.values for known in self.known.values()):
            self.study.tell(new.number, state=TrialState.FAIL)
            return None
        self.known[new.number] = new
        return new

    def _seed(self, number: int) -> None:
        """Seed the sampler by the number of trials: a resumed study draws on as if undisturbed.

        Conclusions start after STARTUP, of which the first are queued: see _begin.
        """
        self.study.sampler = optuna.samplers.TPESampler(
            seed=SEED + number, n_startup_trials=STARTUP, constant_liar=True
        )

    def _fill(self, trial: Trial) -> Suggestion:
        """Draw the values of a trial that lack."""
        for tunable in self.space:
            _draw(trial, tunable, self.ranges[tunable.name])
        return self._suggestion(self.study.trials[trial.number])

    def _widen(self) -> None:
        """Move an end of a range where the best suggestion lies at it, and store the range."""
        best, done = self.best(), len(self.finished())
        if best is None or done < STARTUP:
            return
        ranges, widened = self.ranges, self.widened
        for tunable in self.space:
            within = ranges[tunable.name]
            side = tunable.edge(best.values[tunable.name], within)
            if side is None or _lately(widened, tunable.name, side, done):
                continue
            new = tunable.widened(within, side)
            if new != within:
                ranges[tunable.name] = new
                widened.append(
                    {
                        "name": tunable.name,
                        "side": side,
                        "after": done,
                        "from": list(within),
                        "to": list(new),
                    }
                )
        if widened != self.widened:
            self.study.set_user_attr("ranges", ranges)
            self.study.set_user_attr("widened", widened)

    def _begin(self, name: str) -> None:
        """Give a new study its ranges and first suggestions; check that an old one is the same."""
        asked = {
            "cell": cell_identity(self.base.cell),
            "seeds": [member.seed for member in self.base.members],
            "published": self.published,
        }
        begun = self.study.user_attrs.get("tuning")
        text = json.dumps(asked, sort_keys=True)
        if begun is not None and begun != text:
            raise InputError(
                f"the tuning {name} in {self.store.out} was begun with another cell, seeds or"
                f" space ({begun}): give this one a name of its own with --name"
            )
        if "ready" in self.study.user_attrs:
            return
        ranges = {t.name: t.first_range(self.base.cell.recipe) for t in self.space}
        for attr, value in (
            ("tuning", text), ("ranges", ranges), ("first", ranges), ("widened", [])
        ):  # fmt: skip
            self.study.set_user_attr(attr, value)
        for values in (self.published, *spread(self.space, ranges, STARTUP - 1)):
            params = {t.param: t.as_param(values[t.name]) for t in self.space}
            self.study.enqueue_trial(params, skip_if_exists=True)
        self.study.set_user_attr("ready", True)

    def _suggestion(self, trial: FrozenTrial) -> Suggestion:
        values = {t.name: t.rounded(t.as_param(trial.params[t.param])) for t in self.space}
        return Suggestion(number=trial.number, values=values, job=suggested(self.base, values))

    def _known(self) -> dict[int, Suggestion]:
        """Return the suggestions so far by number.

        A driver killed between asking and drawing leaves a trial without its values: they are drawn
        now, as they would have been then.
        """
        known: dict[int, Suggestion] = {}
        for trial in self.study.get_trials(deepcopy=False):
            if trial.state in (TrialState.WAITING, TrialState.FAIL):
                continue
            if all(t.param in trial.params for t in self.space):
                known[trial.number] = self._suggestion(trial)
                continue
            self._seed(trial.number)
            new = self._fill(Trial(self.study, trial._trial_id))  # as study.ask makes it
            if any(new.values == earlier.values for earlier in known.values()):
                self.study.tell(new.number, state=TrialState.FAIL)
            else:
                known[new.number] = new
        return known


def _lately(widened: list[dict[str, Any]], name: str, side: Side, done: int) -> bool:
    """Tell whether that end was moved within the last few suggestions."""
    return any(
        w["name"] == name and w["side"] == side and done < w["after"] + PATIENCE for w in widened
    )


def _draw(trial: Trial, tunable: Tunable, within: Range) -> None:
    low, high = sorted(map(tunable.as_param, within))
    log = tunable.scale != "linear"
    if tunable.whole:
        trial.suggest_int(tunable.param, int(low), int(high), log=log)
    else:
        trial.suggest_float(tunable.param, low, high, log=log)
