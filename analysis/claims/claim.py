"""What a claim is, what it is judged by, and what comes of it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from analysis.effects.decision_rules import Judged
from analysis.effects.paired import Effect, Resampler
from analysis.forecasts.far_future import project_2055
from analysis.laws.curves import Curve, find_curves
from analysis.present.formatting import change, raised
from analysis.results.cell_results import CellResult, Cells
from analysis.results.load import Results
from analysis.results.reading import studies_with_curves

POST = "Karpathy 2022, karpathy.github.io/2022/03/14/lecun1989"
BASE_SIZE = 7291  # cited: the training images of the 1989 paper
FULL_SIZE = 50_000  # cited: those of the write-up's larger set
NOT_RUN = "not run: "  # how a verdict begins whose study was not; the rest is the command


class NotRun(Exception):
    """A study that a claim rests on, or a cell of it, is not in the results folder."""

    def __init__(self, study: str, *, begun: bool) -> None:
        super().__init__(f"{'not finished: ' if begun else NOT_RUN}scaling sweep {study}")


@dataclass(frozen=True, kw_only=True)  # no slots: its curves and fits are made when first asked for
class Evidence:
    """A results folder as claims and sections see it."""

    results: Results
    cells: Cells
    resampler: Resampler

    @cached_property
    def curves(self) -> list[Curve]:
        """The fitted scaling curves of the studies that ask for them."""
        return find_curves(self.results.of(studies_with_curves(self.results.plans)))

    @cached_property
    def future(self) -> Mapping[str, Any] | None:
        """What the curves and the trends say of 2055; None without a curve."""
        return project_2055(self.curves, self.cells)

    def cell(self, study: str, *, dataset: str = "mnist", **where: Any) -> CellResult:
        """The cell of a study. Raises NotRun if it has no finished model, Ambiguous for several."""
        found = self.cells.first(study, dataset=dataset, **where)
        if found is None:
            raise NotRun(study, begun=study in self.cells.studies)
        return found

    def change(self, base: CellResult, other: CellResult) -> Effect:
        return self.effect([(-1.0, base), (1.0, other)], other.study)

    def effect(self, terms: list[tuple[float, CellResult]], study: str) -> Effect:
        """Raises NotRun where the cells share no seed or no test images."""
        found = self.resampler.effect(terms)
        if found is None:
            raise NotRun(study, begun=True)
        return found


def gather_evidence(results: Results) -> Evidence:
    return Evidence(results=results, cells=Cells(results), resampler=Resampler())


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A verdict and the sentence it rests on, whose every number is among `values`."""

    verdict: str
    sentence: str
    values: Mapping[str, Any] = field(default_factory=dict)
    interval: tuple[float, float] | None = None
    p: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A published claim, the study it rests on (None: on facts) and the function that judges it."""

    id: str
    text: str
    source: str
    study: str | None
    judge: Callable[[Evidence], Outcome]


CLAIMS: dict[str, Claim] = {}
Judge = Callable[[Evidence], Outcome]


def claim(id: str, text: str, *, study: str | None, source: str = POST) -> Callable[[Judge], Judge]:  # noqa: A002
    """Register a function as the judge of a claim."""

    def register(judge: Judge) -> Judge:
        CLAIMS[id] = Claim(id=id, text=text, source=source, study=study, judge=judge)
        return judge

    return register


def outcome(judged: Judged, sentence: str, effect: Effect | None = None, **values: Any) -> Outcome:
    """The outcome with its sentence filled in from `values`; an effect is `{name}` itself."""
    rows = {name: row_of(v) if isinstance(v, Effect) else v for name, v in values.items()}
    shown = {name: words_of(v) if isinstance(v, Effect) else v for name, v in values.items()}
    return Outcome(
        verdict=judged.verdict,
        sentence=raised(sentence.format(**shown)).replace("%", " %").replace("  %", " %"),
        values=rows,
        interval=None if effect is None else effect.interval,
        p=judged.p,
    )


def row_of(effect: Effect) -> dict[str, Any]:
    """An effect as JSON; None where it has no value or no end, as where nothing was missed."""
    return {
        "change": effect.value if math.isfinite(effect.value) else None,
        "low": effect.low,
        "high": effect.high if math.isfinite(effect.high) else None,
        "level": effect.level,
        "seeds": effect.n_seeds,
        "se_log_test": effect.se_test,
        "se_log_seed": effect.se_seed,
    }


def words_of(effect: Effect) -> str:
    """As -12.3% (-20.1 to -3.2%), or with the one end that there is where nothing was missed."""
    if not math.isfinite(effect.high):
        return change(row_of(effect))
    ends = f"{100 * effect.low:+.1f} to {effect.high:+.1%}"
    return f"{effect.value:+.1%} ({ends})"
