"""The documents: links that lead somewhere, files that exist, commands as the parser has them."""

import re
from pathlib import Path

import pytest

from jobs.cli import document
from jobs.cli.commands import build_parser

ROOT = Path(__file__).parents[2]
ALONE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
DOCUMENTS = [*(ROOT / name for name in ALONE), *sorted((ROOT / "docs").rglob("*.md"))]
MOST_WORDS = 1_000
# Made by programs: only their links are tested, as their code names files of a results folder.
GENERATED = ("docs/report/report.md",)

CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
# A path within the repository: it begins with a folder of it, or is a file with an ending.
TOP = r"scaling|jobs|analysis|tests|docs|\.ci"
PATH = re.compile(rf"(?:{TOP})/[\w./*-]*|[\w-]+\.(?:md|toml|yaml|txt)|Makefile|LICENSE")


def prose(text: str) -> str:
    """Return a document without its blocks of code, which are indented or fenced."""
    return re.sub(r"^(?:    .*|```[^`]*^```)$", "", text, flags=re.MULTILINE)


def links(text: str) -> list[str]:
    """Return where the links of a document lead, but for those to other sites."""
    found = LINK.findall(CODE.sub("code", prose(text)))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a document."""
    found: list[str] = []
    for heading in HEADING.findall(prose(text)):
        words = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower())
        name = words.replace(" ", "-")
        found.append(f"{name}-{found.count(name)}" if name in found else name)
    return set(found)


def leads_nowhere(page: Path, target: str) -> bool:
    """Return whether a link's file or its anchor is missing."""
    name, _, anchor = target.partition("#")
    path = (page.parent / name).resolve() if name else page
    if not path.exists():
        return True
    return bool(anchor) and anchor not in anchors(path.read_text(encoding="utf-8"))


def missing_paths(text: str) -> list[str]:
    """Return the paths of the repository in backticks that do not exist; a * is any name."""
    words = [word for code in CODE.findall(prose(text)) for word in re.split(r"[\s:=,]+", code)]
    paths = [word for word in words if PATH.fullmatch(word)]
    return [path for path in paths if not any(ROOT.glob(path.rstrip("/")))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [target for target in links(text) if leads_nowhere(path, target)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_of_the_repository_exists(path: Path) -> None:
    if str(path.relative_to(ROOT)) not in GENERATED:
        assert missing_paths(path.read_text(encoding="utf-8")) == []


def test_what_is_missing_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One `two` (3)\n\n    # no heading\n\n# Again\n# Again\n", encoding="utf-8")
    assert anchors(page.read_text(encoding="utf-8")) == {"one-two-3", "again", "again-1"}
    good = "[a](page.md) [b](page.md#again-1) ![c](#one-two-3) [d](https://example.org/none)"
    bad = "[a](none.md) [b](page.md#no-heading) [c](#none)"
    assert [target for target in links(good) if leads_nowhere(page, target)] == []
    assert [target for target in links(bad) if leads_nowhere(page, target)] == [
        *("none.md", "page.md#no-heading", "#none")
    ]
    assert missing_paths("`scaling/cell.py` `make test` `jobs/studies/*.py` `OUT/metrics`") == []
    assert missing_paths("`scaling/none.py` and `python none.md`") == ["scaling/none.py", "none.md"]


def test_the_readme_is_short() -> None:
    words = (ROOT / "README.md").read_text(encoding="utf-8").split()
    assert len(words) <= MOST_WORDS


def test_the_readme_names_every_room() -> None:
    """Its tree has a line `name/` below each package; two may share a line."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = re.search(r"^    scaling/ .*?(?=^\S)", text, re.MULTILINE | re.DOTALL)
    assert tree is not None
    for package in ("scaling", "jobs", "analysis"):
        part = re.search(rf"^    {package}/ .*\n((?:      .*\n)+)", tree[0], re.MULTILINE)
        assert part is not None
        named = re.findall(r"(\w+)/(?= )", part[1])
        rooms = [path.parent.name for path in (ROOT / package).glob("*/__init__.py")]
        assert sorted(named) == sorted(rooms)


def test_the_page_of_commands_is_current() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    made = document.describe(build_parser())
    assert page == made, f"docs/commands.md is not of today's parser: {document.REWRITE}"


def test_every_argument_of_every_command_is_explained() -> None:
    page = document.describe(build_parser())
    rows = re.findall(r"^\| (`.+?`) \| (.*?) \| .*\|$", page, re.MULTILINE)
    assert len(rows) > 100
    assert [argument for argument, meaning in rows if not meaning.strip()] == []
