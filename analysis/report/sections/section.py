"""A part of the report: numbers first, then words, tables and figures made of nothing else."""

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
    """A figure by its name, with what it shows for those who see it and for those who do not."""

    name: str
    alt: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What is printed of a study, all of it from its `Data`."""

    title: str
    text: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How a section comes about. `measure` gives None where there is nothing to say."""

    measure: Callable[[Evidence, str], Data | None]
    show: Callable[[Data], Section]
    draw: Callable[[Data], Mapping[str, Figure]]
