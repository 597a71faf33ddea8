"""Links from a number in the prose to the row of the table that it stands on.

Sections write them as `[90.8](#ladder-1-2)`: the page makes links of them, plain text leaves them
out. Every row of every table has such a name, made of its section, its table and its place.
"""

import re

from markupsafe import Markup, escape

_LINK = re.compile(r"\[([^\[\]]+)\]\(#([\w.-]+)\)")
_CODE = re.compile(r"`([^`]+)`")


def row_anchor(part: str, row: int, table: int = 1) -> str:
    """The name of a row; rows and tables of a section are counted from 1."""
    return f"{part}-{table}-{row}"


def table_anchor(part: str, table: int = 1) -> str:
    """The name of a whole table, for what is counted over its rows."""
    return f"{part}-{table}"


def link(shown: str, anchor: str) -> str:
    """The text with a link to an anchor of the page."""
    return f"[{shown}](#{anchor})"


def unlinked(text: str) -> str:
    """The text as it reads, for what is no page."""
    return _LINK.sub(r"\1", text)


def linked(text: str) -> Markup:
    """The text as HTML, all of it escaped but links and `code`; what is HTML already stays."""
    html = Markup if isinstance(text, Markup) else escape
    parts, end = [], 0
    for found in _LINK.finditer(text):
        parts.append(_code(html(text[end : found.start()])))
        parts.append(Markup('<a href="#{}">{}</a>').format(found[2], html(found[1])))
        end = found.end()
    return Markup("").join([*parts, _code(html(text[end:]))])


def _code(html: Markup) -> Markup:
    return Markup(_CODE.sub(r"<code>\1</code>", "".join(html)))  # a Markup would escape again
