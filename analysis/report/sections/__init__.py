"""The parts of the report, one for each kind of study; studies without one are curves."""

from analysis.claims.claim import Evidence
from analysis.report.sections.ablation import WORTH
from analysis.report.sections.comparison import COMPARED, COMPARISONS
from analysis.report.sections.epochs import EPOCHS
from analysis.report.sections.ladder import LADDER
from analysis.report.sections.screening import SCREENING
from analysis.report.sections.section import Data, Kind, Picture, Section, Table

__all__ = ["KINDS", "Data", "Kind", "Picture", "Section", "Table", "measure_all"]

KINDS: dict[str, Kind] = {
    "ladder": LADDER,
    "ablation": WORTH,
    "zipcode": LADDER,
    "epochs": EPOCHS,
    "screening": SCREENING,
    **dict.fromkeys(COMPARISONS, COMPARED),
}


def measure_all(evidence: Evidence) -> list[Data]:
    """The numbers of each study that has a part of its own and something to say."""
    found = [
        KINDS[name].measure(evidence, name) for name in KINDS if name in evidence.results.plans
    ]
    return [data for data in found if data is not None]
