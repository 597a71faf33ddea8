"""Every section of the report, in the order of the page: by analysis, then about the folder.

A new section is one entry here: of STUDY_SECTIONS if a study asks for it by an analysis, else of
FOLDER_SECTIONS.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from analysis.claims import any_run, judge_all
from analysis.claims.claim import Evidence
from analysis.forecasts.outlook import measure_outlook
from analysis.report.sections import (
    benchmark,
    claims_table,
    cost,
    engines,
    forecasts,
    frontier,
    future,
    outlook,
)
from analysis.report.sections.ablation import FACTORIAL
from analysis.report.sections.comparison import COMPARISON
from analysis.report.sections.epochs import EPOCHS
from analysis.report.sections.interaction import INTERACTION
from analysis.report.sections.ladder import LADDER
from analysis.report.sections.screening import SCREENING
from analysis.report.sections.section import Data, FolderSection, Place, StudySection
from analysis.results.reading import read_as
from scaling.analyses import (
    Analysis,
    Compare,
    Epochs,
    Factorial,
    Interaction,
    Ladder,
    Screening,
    to_plan,
)

STUDY_SECTIONS: dict[type[Analysis], StudySection] = {
    Ladder: LADDER,
    Factorial: FACTORIAL,
    Epochs: EPOCHS,
    Screening: SCREENING,
    Compare: COMPARISON,
    Interaction: INTERACTION,
}
BY_KIND = {kind.__name__: section for kind, section in STUDY_SECTIONS.items()}

FOLDER_SECTIONS = (
    FolderSection(
        id="claims",
        key="claims",
        measure=lambda evidence: rows if any_run(rows := judge_all(evidence)) else [],
        show=claims_table.show_claims,
    ),
    FolderSection(
        id=forecasts.WORTH,
        key="worth",
        measure=lambda evidence: forecasts.measure_worth(evidence.curves),
        show=forecasts.show_worth,
        draw=forecasts.draw_worth,
    ),
    FolderSection(
        id=outlook.PROFILES,
        key="outlook",
        measure=lambda evidence: measure_outlook(evidence.curves),
        show=outlook.show_profiles,
        draw=outlook.draw_profiles,
        is_shown=lambda data: bool(data["profiles"]),
    ),
    FolderSection(
        id=outlook.BACKTEST_COVERAGE,
        key="outlook",
        show=outlook.show_holding,
        draw=outlook.draw_holding,
        is_shown=lambda data: bool(data["ahead"]),
    ),
    FolderSection(
        id=forecasts.FORECASTS,
        key="forecasts",
        measure=lambda evidence: forecasts.read_forecasts(evidence.results),
        show=forecasts.show_forecasts,
        draw=forecasts.draw_forecasts,
    ),
    FolderSection(
        id=engines.NAME,
        key="engines",
        measure=lambda evidence: engines.measure(evidence.results),
        show=engines.show,
    ),
    FolderSection(
        id=frontier.FRONTIER,
        key="frontier",
        measure=lambda evidence: frontier.measure_frontier(evidence.cells),
        show=frontier.show_frontier,
        draw=frontier.draw_frontier,
    ),
    FolderSection(
        id=benchmark.NAME,
        key="bench",
        measure=lambda evidence: benchmark.read_bench(evidence.results.store),
        show=benchmark.show,
        draw=benchmark.draw,
    ),
    FolderSection(
        id=cost.NAME,
        key="planning",
        measure=lambda evidence: cost.measure(evidence.results),
        show=cost.show,
    ),
    FolderSection(
        id=future.FUTURE,
        key="future",
        measure=lambda evidence: evidence.future,
        show=future.show,
        draw=future.draw,
    ),
    FolderSection(id="digits", key="digits", show=claims_table.show_digits),
)


def measure_studies(evidence: Evidence) -> list[Data]:
    """Return the numbers of each analysis that a study asks for and that has finished cells."""
    order = {kind: place for place, kind in enumerate(STUDY_SECTIONS)}
    wanted = [
        (order[type(analysis)], place, analysis)
        for study, plan in evidence.results.plans.items()
        for place, analysis in _places(study, read_as(plan).analyses)
    ]
    found = []
    for _, place, analysis in sorted(wanted, key=lambda each: each[0]):
        section = STUDY_SECTIONS[type(analysis)]
        if data := section.measure(evidence, place, analysis):
            about = {"study": place.study, "id": place.id, "analysis": to_plan(analysis)}
            found.append(about | data)
    return found


def _places(study: str, analyses: Iterable[Analysis]) -> list[tuple[Place, Analysis]]:
    """Return each analysis that has a section, with its id: the study's name, then numbered."""
    found: list[tuple[Place, Analysis]] = []
    for analysis in analyses:
        if isinstance(analysis, Interaction) and found and isinstance(found[-1][1], Compare):
            place, compare = found[-1]  # the comparison's section shows it
            found[-1] = (Place(study=study, id=place.id, interaction=True), compare)
        elif type(analysis) in STUDY_SECTIONS:
            number = len(found) + 1
            found.append((Place(study=study, id=_id(study, number)), analysis))
    return found


def _id(study: str, number: int) -> str:
    return study if number == 1 else f"{study}-{number}"


def measure_folder(evidence: Evidence) -> dict[str, Any]:
    """Return the numbers of the sections about the folder, by their keys."""
    return {
        section.key: section.measure(evidence) for section in FOLDER_SECTIONS if section.measure
    }


def shown_sections(numbers: Mapping[str, Any]) -> list[tuple[FolderSection, Any]]:
    """Return the sections about the folder that have content, each with its numbers."""
    return [
        (section, numbers[section.key])
        for section in FOLDER_SECTIONS
        if section.is_shown(numbers[section.key])
    ]
