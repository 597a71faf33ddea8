"""Render templates with the same filters and globals for every page."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from analysis.present import formatting
from analysis.present.links import (
    link,
    row_anchor,
    strip_links,
    table_anchor,
    to_html,
    to_markdown,
    to_visible,
)
from analysis.report.sections.section import Section

Drawn = Mapping[str, tuple[bytes, bytes]]  # by name, a figure as SVG and as PNG


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Hold a section with its anchor, and the question and notes of its study."""

    id: str
    section: Section
    question: str = ""
    notes: tuple[str, ...] = ()


def render(template: str, drawn: Drawn, **values: Any) -> str:
    """Return a page (.html) with all text escaped and its figures embedded, or a text (.md)."""
    page = ".html" in template
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=page,
        finalize=to_visible if page else to_markdown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=formatting.percent, number=formatting.number, interval=formatting.interval
    )
    environment.filters.update(
        factor=formatting.factor,
        link=link if page else lambda shown, _: shown,
        text=to_html if page else strip_links,
    )
    environment.filters.update(oneline=lambda text: " ".join(text.split()))
    environment.globals.update(row_anchor=row_anchor, table_anchor=table_anchor)
    images = {
        name: "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
        for name, (svg, _) in drawn.items()
    }
    return environment.get_template(template).render(images=images, **values)
