"""Train stored models again in this process, one lot after another, the longest last."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from jobs.planning.cost import plan_job
from scaling.errors import InputError
from scaling.models.weights import Weights
from scaling.progress import Progress
from scaling.study import Job
from scaling.verifying.again import Again, Lot, train_again
from scaling.verifying.bounds import Unequal
from scaling.verifying.ledger import BOUNDS, EQUAL, Ledger
from scaling.verifying.machine import doubts, evidence

NEIGHBOURS = "who trained beside it in lock-step is not known"

LOT_S = 0.1  # assumed: of each lot besides training, so that no prediction is zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """A model that differs from its stored rows, with the reasons why its bits may differ."""

    again: Again
    misses: int  # of the model that was trained again
    reasons: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Retrainer:
    """Train lots again: each by the engine of its rows, or all by one engine, `by`."""

    by: str | None
    ledger: Ledger
    trained: set[str] = field(default_factory=set)  # by run_id
    equal: list[Again] = field(default_factory=list)
    _starts: dict[str, Weights] = field(default_factory=dict)

    def engine(self, lot: Lot) -> str:
        return self.by or lot.engine

    def seconds(self, lot: Lot) -> float:
        """Return the predicted seconds, with those of the models that these begin with."""
        engine, members = self.engine(lot), tuple(planned.member for planned in lot.planned)
        job = Job(cell=lot.cell, members=members, source="")
        total = LOT_S + plan_job(job, "cpu", engine).seconds
        if start := lot.cell.start:
            total += plan_job(replace(job, cell=start), "cpu").seconds
        return total

    def train(self, lots: Sequence[Lot]) -> list[Undecided]:
        """Train lots again; note equal and unequal models, and return the undecided ones."""
        undecided = []
        lots = sorted(lots, key=self.seconds)
        with Progress("verify", sum(map(self.seconds, lots))) as bar:
            for number, lot in enumerate(lots, 1):
                undecided += self._train(lot, bar, f"{number} of {len(lots)} ({self.engine(lot)})")
        return undecided

    def _train(self, lot: Lot, bar: Progress, text: str) -> list[Undecided]:
        evaluated = len({row["epoch"] for model in lot.models for row in model.rows})
        share = self.seconds(lot) / evaluated / len(lot.models)
        advance = partial(bar.advance, share, text)
        try:
            found = list(train_again(lot, self.engine(lot), self._starts, advance))
        except InputError as error:
            for model in lot.models:
                self.ledger.unverified[model.run_id] = f"cannot be trained again: {error}"
            return []
        self.trained |= {again.model.run_id for again in found}
        return self._by_reference(found) if self.by else self._compared(lot, found)

    def _compared(self, lot: Lot, found: list[Again]) -> list[Undecided]:
        """Compare bits where they must be equal: a lost group may have had other members."""
        known = lot.engine != "population" or lot.only
        known = known or any(not again.unequal for again in found)
        undecided = []
        for again in found:
            self.ledger.count(EQUAL)
            if not again.unequal:
                self.equal.append(again)
                continue
            reasons = doubts(again.model, again.planned)
            if not known:
                reasons.append(NEIGHBOURS)
            countable = None not in (again.misses, again.model.last["test_misses"])
            if reasons and again.misses is not None and countable:
                one = Undecided(again=again, misses=again.misses, reasons=tuple(reasons))
                undecided += self._within_bounds(one)
                continue
            self._fail(EQUAL, again, again.unequal)
        return undecided

    def settle(self, undecided: Sequence[Undecided]) -> list[Undecided]:
        """Note those whose bits this machine gives, as models of the same versions show.

        Return the rest.
        """
        seen = {evidence(again.model, again.planned) for again in self.equal}
        rest = []
        for one in undecided:
            again = one.again
            if NEIGHBOURS in one.reasons or evidence(again.model, again.planned) not in seen:
                rest.append(one)
            else:
                why = " where others with the same versions came back to the bit"
                self._fail(EQUAL, again, again.unequal, why)
        return rest

    def _within_bounds(self, one: Undecided) -> list[Undecided]:
        """Return the model; report it instead where a number is off by more than rounding."""
        self.ledger.count(BOUNDS)
        if one.again.beyond:
            self._fail(BOUNDS, one.again, one.again.beyond)
            return []
        return [one]

    def _fail(self, check: str, again: Again, unequal: Sequence[Unequal], why: str = "") -> None:
        (what, now, stored), *others = unequal
        more = f" (and {len(others)} more values)" if others else ""
        page = self.ledger.about(check, again.model.run_id, again.model.metrics_file)
        page.fail(f"trained again by {again.engine}, {what}{more}{why}", stored, now)

    def _by_reference(self, found: list[Again]) -> list[Undecided]:
        undecided = []
        for again in found:
            if again.misses is None:
                ((what, now, stored),) = again.unequal
                page = self.ledger.about(EQUAL, again.model.run_id, again.model.metrics_file)
                page.fail(f"{what} by {again.engine}", stored, now)
                continue
            reason = (f"trained again by {again.engine}",)
            one = Undecided(again=again, misses=again.misses, reasons=reason)
            undecided += self._within_bounds(one)
        return undecided
