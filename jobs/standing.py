"""How a study stands and what it asks, in words."""

from collections.abc import Iterable, Mapping


def standing(counts: Mapping[str, int]) -> str:
    """How many cells are finished, failed and missing, and where some are, how many models."""
    cells = ", ".join(f"{counts[key]} {key}" for key in ("finished", "failed", "missing"))
    return cells + models_line(counts)


def models_line(counts: Mapping[str, int]) -> str:
    """How many models are stored, where that is not all of them."""
    if counts["models_finished"] == counts["models"]:
        return ""
    part = f", {counts['in_part']} cells in part" if counts["in_part"] else ""
    return f"; {counts['models_finished']} of {counts['models']} models stored{part}"


def about(question: str, notes: Iterable[str]) -> list[str]:
    """The question of a study and its notes, a line each."""
    return [" ".join(said.split()) for said in (question, *notes)]
