"""Define a section of the report: numbers, and the text, tables and figures made of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from analysis.claims.claim import Evidence

Data = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Hold rows of text; columns whose heading begins with # are aligned to the right."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    wraps: bool = False  # its cells hold sentences


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Name a figure, with its caption and its alternative text."""

    name: str
    alt: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Hold the printed form of a section's `Data`."""

    title: str
    text: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Name the study of a section, and the section's id: its anchor and its figure."""

    study: str
    id: str
    interaction: bool = False  # whether a comparison shows the study's interaction too


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySection:
    """Make the section of an analysis.

    `measure` returns None without the finished cells that `needs` names.
    """

    measure: Callable[[Evidence, Place, Any], Data | None]
    needs: str  # "which needs ..."
    show: Callable[[Data], Section]
    draw: Callable[[Data], Mapping[str, Figure]] = lambda _: {}


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSection:
    """Make a section about the whole folder from the report's numbers under `key`.

    `measure` computes these numbers, unless an earlier section does. `is_shown` returns whether
    they have content.
    """

    id: str
    key: str
    show: Callable[[Any], Section]
    draw: Callable[[Any], Mapping[str, Figure]] = lambda _: {}
    measure: Callable[[Evidence], Any] | None = None
    is_shown: Callable[[Any], bool] = bool
