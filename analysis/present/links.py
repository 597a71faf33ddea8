"""Links from a number in the text to its row in a table.

Sections write them as `[90.8](#ladder-1-2)`: the page makes links of them, plain text leaves them
out. Every row of every table has such an anchor, of its section, its table and its place.
"""

import re

from markupsafe import Markup, escape

_LINK = re.compile(r"\[([^\[\]]+)\]\(#([\w.-]+)\)")
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


def _code(html: Markup) -> Markup:
    return Markup(_CODE.sub(r"<code>\1</code>", "".join(html)))  # a Markup would escape again
