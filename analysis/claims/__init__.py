"""The published claims that this project can test: one function each, in one table."""

from typing import Any

from analysis.claims import (  # they fill the table  # noqa: F401
    beyond,
    future,
    future_fits,
    ladder,
    scale,
)
from analysis.claims.claim import CLAIMS, NOT_RUN, Claim, Evidence, NotRun, Outcome, gather_evidence
from analysis.effects.decision_rules import ALPHA, holm
from analysis.results.cell_results import Ambiguous

__all__ = ["CLAIMS", "Claim", "Evidence", "NotRun", "Outcome", "gather_evidence", "judge_all"]


def judge_all(evidence: Evidence) -> list[dict[str, Any]]:
    """A row for each claim, with Holm's correction over those that were tested."""
    rows = [_row(claim, _judge(claim, evidence)) for claim in _in_order()]
    tested = [row for row in rows if row["p"] is not None]
    for row, adjusted in zip(tested, holm([row["p"] for row in tested]), strict=True):
        row["p_holm"] = adjusted
        row["holds_after_holm"] = adjusted < ALPHA
    return rows


def any_run(rows: list[dict[str, Any]]) -> bool:
    """Whether a study that some claim rests on is in the results folder."""
    of_studies = [row for row in rows if row["id"] != "C2" and row["study"] is not None]
    return any(not row["verdict"].startswith(NOT_RUN) for row in of_studies)


def _in_order() -> list[Claim]:
    return sorted(CLAIMS.values(), key=lambda claim: int(claim.id[1:]))


def _judge(claim: Claim, evidence: Evidence) -> Outcome:
    try:
        return claim.judge(evidence)
    except (NotRun, Ambiguous) as missing:
        return Outcome(verdict=str(missing), sentence="")


def _row(claim: Claim, found: Outcome) -> dict[str, Any]:
    return {
        "id": claim.id,
        "claim": claim.text,
        "source": claim.source,
        "study": claim.study,
        "verdict": found.verdict,
        "figure": found.sentence,
        "values": dict(found.values),
        "interval": found.interval,
        "p": found.p,
        "p_holm": None,
        "holds_after_holm": None,
    }
