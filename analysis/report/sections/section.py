"""A section of the report: numbers first, then text, tables and figures made of nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from analysis.claims.claim import Evidence

Data = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of text; columns whose heading begins with # are counts, set to the right."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    wraps: bool = False  # has sentences in its cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure by its name, with its caption and a text for those who do not see it."""

    name: str
    alt: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The printed form of a section's `Data`."""

    title: str
    text: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The study that a section is about, and the section's id: its anchor and its figure."""

    study: str
    id: str
    interaction: bool = False  # a comparison that shows the study's interaction too


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySection:
    """How the section of an analysis is made.

    `measure` returns None where no finished cell is of use; `needs` names those that are.
    """

    measure: Callable[[Evidence, Place, Any], Data | None]
    needs: str  # "which needs ..."
    show: Callable[[Data], Section]
    draw: Callable[[Data], Mapping[str, Figure]] = lambda _: {}


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSection:
    """How a section about the whole folder is made, of the report's numbers under `key`.

    `measure` computes them, unless a section before it does; `is_shown` tells whether they have
    content.
    """

    id: str
    key: str
    show: Callable[[Any], Section]
    draw: Callable[[Any], Mapping[str, Figure]] = lambda _: {}
    measure: Callable[[Evidence], Any] | None = None
    is_shown: Callable[[Any], bool] = bool
