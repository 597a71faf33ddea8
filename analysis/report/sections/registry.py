"""List every section of the report in the order of the page: by analysis, then by folder.

A new section is one entry here: in STUDY_SECTIONS if a study names its analysis, else in
FOLDER_SECTIONS.
"""

from collections import Counter
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
    recipes,
)
from analysis.report.sections.ablation import FACTORIAL
from analysis.report.sections.comparison import COMPARISON
from analysis.report.sections.epochs import EPOCHS
from analysis.report.sections.ids import unique_ids
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

HEADINGS = ("missing", "errors", "changes", "fits", "learning", "tuning", "methods")  # of the page
FIGURES = ("error_vs_n_train", "learning_curves", future.FORMS, future.TRENDS)
FOLDER_SECTIONS = (
    FolderSection(
        id="claims",
        key="claims",
        measure=lambda evidence: rows if any_run(rows := judge_all(evidence)) else [],
        show=claims_table.show_claims,
    ),
    FolderSection(
        id=recipes.NAME,
        key="recipes",
        measure=lambda evidence: recipes.measure(evidence.results),
        show=recipes.show,
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
        show=outlook.show_coverage,
        draw=outlook.draw_coverage,
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
        measure=lambda evidence: benchmark.read_bench(evidence.results.records),
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
OWN_IDS = (*HEADINGS, *FIGURES, *(section.id for section in FOLDER_SECTIONS))


def measure_studies(evidence: Evidence) -> list[Data]:
    """Return the numbers of each analysis that a study names and that has finished cells."""
    order = {kind: place for place, kind in enumerate(STUDY_SECTIONS)}
    wanted = _places(evidence.results.plans)
    found = []
    for place, analysis in sorted(wanted, key=lambda each: order[type(each[1])]):
        section = STUDY_SECTIONS[type(analysis)]
        if data := section.measure(evidence, place, analysis):
            about = {"study": place.study, "id": place.id, "analysis": to_plan(analysis)}
            found.append(about | data)
    return _with_unique_titles(found)


def _places(plans: Mapping[str, Mapping[str, Any]]) -> list[tuple[Place, Analysis]]:
    """Return each analysis that has a section, with that section's study and id."""
    sections = {study: _with_interaction(read_as(plan).analyses) for study, plan in plans.items()}
    tunings = [f"tuning_{study}" for study, plan in plans.items() if "tuning" in plan]
    ids = unique_ids({s: len(mine) for s, mine in sections.items()}, taken=[*OWN_IDS, *tunings])
    return [
        (Place(study=study, id=ids[study, number], interaction=interaction), analysis)
        for study, mine in sections.items()
        for number, (analysis, interaction) in enumerate(mine, 1)
    ]


def _with_interaction(analyses: Iterable[Analysis]) -> list[tuple[Analysis, bool]]:
    """Return the analyses that have a section, and whether it shows an interaction too."""
    found: list[tuple[Analysis, bool]] = []
    for analysis in analyses:
        last = found[-1][0] if found else None
        if isinstance(analysis, Interaction) and isinstance(last, Compare) and last.axis:
            found[-1] = (last, True)
        elif type(analysis) in STUDY_SECTIONS:
            found.append((analysis, False))
    return found


def _with_unique_titles(sections: list[Data]) -> list[Data]:
    """Return the sections with the study's name before a title that several studies share."""
    studies = {(data["title"], data["study"]) for data in sections}
    shared = Counter(title for title, _ in studies)
    return [
        data | {"title": f"{data['study']}: {data['title']}"} if shared[data["title"]] > 1 else data
        for data in sections
    ]


def sections_missing(numbers: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each analysis of a study that lacks the finished cells it needs."""
    lines = []
    for study in numbers["studies"]:
        shown = [s["analysis"]["kind"] for s in numbers["sections"] if s["study"] == study["name"]]
        kinds = dict.fromkeys(analysis["kind"] for analysis in study["analyses"])
        for kind in kinds:
            within = kind == "Interaction" and "Compare" in shown  # the comparison's section has it
            if kind in BY_KIND and kind not in shown and not within:
                lines.append(f"{study['name']}: no section for {kind}, {BY_KIND[kind].needs}.")
    return lines


def measure_folder(evidence: Evidence) -> dict[str, Any]:
    """Return the numbers of the sections about the folder, by their keys."""
    return {
        section.key: section.measure(evidence) for section in FOLDER_SECTIONS if section.measure
    }


def sections_to_show(numbers: Mapping[str, Any]) -> list[tuple[FolderSection, Any]]:
    """Return the sections about the folder that have content, each with its numbers."""
    return [
        (section, numbers[section.key])
        for section in FOLDER_SECTIONS
        if section.is_shown(numbers[section.key])
    ]
