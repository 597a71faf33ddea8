"""The state and the question of a study, in words."""

from collections.abc import Iterable, Mapping


def standing(counts: Mapping[str, int]) -> str:
    """Return the counts of cells, and of models where some are missing, in words."""
    cells = ", ".join(f"{counts[key]} {key}" for key in ("finished", "failed", "missing"))
    return cells + models_line(counts)


def models_line(counts: Mapping[str, int]) -> str:
    """Return the number of stored models in words; empty where none is missing."""
    if counts["models_finished"] == counts["models"]:
        return ""
    part = f", {counts['in_part']} cells in part" if counts["in_part"] else ""
    return f"; {counts['models_finished']} of {counts['models']} models stored{part}"


def about(question: str, notes: Iterable[str]) -> list[str]:
    """The question of a study and its notes, a line each."""
    return [" ".join(said.split()) for said in (question, *notes)]
