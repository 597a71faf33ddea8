"""Links from a number in the text to its row in a table.

Sections write them as `[90.8](#ladder-1-2)`: the page makes links of them, plain text leaves them
out. Every row of every table has such an anchor, of its section, its table and its place.
"""

import re
from typing import Any

from markupsafe import Markup, escape

from scaling.untrusted import visible

_LINK = re.compile(r"\[([^\[\]]+)\]\(#([\w.-]+)\)")
_OBEYED = re.compile(r"<(?=[A-Za-z/!?])|\](?=[(\[:]|$)|\|")  # tags, links, ends of cells
_CODE = re.compile(r"`([^`]+)`")


def row_anchor(part: str, row: int, table: int = 1) -> str:
    """Return the anchor of a row; rows and tables of a section count from 1."""
    return f"{part}-{table}-{row}"


def table_anchor(part: str, table: int = 1) -> str:
    """Return the anchor of a whole table, for figures that count its rows."""
    return f"{part}-{table}"


def link(shown: str, anchor: str) -> str:
    """Return the text with a link to an anchor of the page."""
    return f"[{shown}](#{anchor})"


def strip_links(text: str) -> str:
    """Return the text without its links, for plain text."""
    return _LINK.sub(r"\1", text)


def to_html(text: str) -> Markup:
    """Return the text as HTML, escaped but for links, `code` and existing HTML."""
    html = Markup if isinstance(text, Markup) else escape
    parts, end = [], 0
    for found in _LINK.finditer(text):
        parts.append(_code(html(text[end : found.start()])))
        parts.append(Markup('<a href="#{}">{}</a>').format(found[2], html(found[1])))
        end = found.end()
    return Markup("").join([*parts, _code(html(text[end:]))])


def to_markdown(value: Any) -> Any:
    """Return a value of a template as Markdown in one line, without tags, links and cells of it.

    A stranger may have written it. Entities stand for what Markdown obeys: they need no escape.
    """
    if not isinstance(value, str):
        return value
    line = " ".join(visible(value).splitlines())
    return _OBEYED.sub(lambda found: f"&#{ord(found[0])};", line)


def to_visible(value: Any) -> Any:
    """Return a value of a template without control characters; HTML stays HTML."""
    return type(value)(visible(value)) if isinstance(value, str) else value


def _code(html: Markup) -> Markup:
    return Markup(_CODE.sub(r"<code>\1</code>", "".join(html)))  # a Markup would escape again
