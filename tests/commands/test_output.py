"""Test the writing of a report: checked before the work, whole or not at all, in every locale."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from simulated import fill_study

from analysis.report.output import find_output
from jobs.cli.main import main
from scaling.errors import InputError
from scaling.store.files import Files
from scaling.store.store import Store
from scaling.study import Grid, Study

NOT_UTF8 = {
    "LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii",
}  # fmt: skip
QUESTION = "Are errors ≥ 2 × those of “ü”?"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    grid = Grid(dataset=("mnist",), n_train=(911,), recipe=("1989", "ce"), seeds=(0, 1))
    study = Study(name="mine", question=QUESTION, grids=(grid,))
    fill_study(tmp_path / "out", study, lambda _: 0.1)
    return tmp_path / "out"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("compared", [False, True], ids=["report", "comparison"])
@pytest.mark.parametrize(
    ("html", "message"),
    [
        ("no/page.html", "there is no folder"),
        ("file/page.html", "there is no folder"),
        ("", "it is a folder"),
        ("x" * 300, "cannot be written"),
    ],
    ids=["no folder", "a file for a folder", "a folder", "too long"],
)
def test_a_page_that_cannot_be_written_is_one_line_before_the_work(
    out: Path, capsys: pytest.CaptureFixture[str], html: str, message: str, compared: bool
) -> None:
    (out.parent / "file").write_text("")
    before = contents(out.parent)
    words = ["report", *[str(out)] * (1 + compared), "--html", str(out.parent / html)]
    assert main(words) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert said.out == ""
    assert contents(out.parent) == before


@pytest.mark.parametrize("compared", [False, True], ids=["report", "comparison"])
def test_a_results_folder_that_cannot_be_written_leaves_the_page(
    out: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    compared: bool,
) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Files, "write_once", refused)
    before, page = contents(out), out.parent / "page.html"
    words = ["report", *[str(out)] * (1 + compared)]
    assert main(words) == 2
    said = capsys.readouterr().err.strip()
    assert "name a file elsewhere with --html FILE" in said
    assert len(said.splitlines()) == 1
    assert main([*words, "--html", str(page)]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [str(page)]
    assert f"only {page} is" in said.err
    assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert contents(out) == before


def test_a_page_is_replaced_whole_and_a_link_stays_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, link = tmp_path / "page.html", tmp_path / "link.html"
    page.write_text("before")
    page.chmod(0o640)
    link.symlink_to(page)
    output = find_output(Store(tmp_path / "out"), link)
    output.write(("report.html", "after"), [])
    assert link.is_symlink()
    assert (page.read_text(), page.stat().st_mode & 0o777) == ("after", 0o640)

    def full(path: Path, body: bytes) -> None:
        with path.open("wb") as file:
            file.write(body[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left"):
        output.write(("report.html", "third"), [])
    assert page.read_text() == "after"
    assert {p.name for p in tmp_path.iterdir()} == {"page.html", "link.html", "out"}


def test_a_link_that_leads_nowhere_yet_is_followed(tmp_path: Path) -> None:
    page, link = tmp_path / "page.html", tmp_path / "link.html"
    link.symlink_to(page)
    output = find_output(Store(tmp_path / "out"), link)
    assert not page.exists()
    output.write(("report.html", "text"), [])
    assert link.is_symlink()
    assert page.read_text() == "text"


def test_a_page_can_go_into_a_pipe(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    find_output(Store(tmp_path), f"/dev/fd/{writing}").write(("report.html", "×"), [])
    os.close(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123  no path
        assert pipe.read().decode() == "×"


def test_every_command_prints_and_writes_in_a_locale_that_is_not_utf8(
    out: Path, tiny_npz: Path
) -> None:
    study = out.parent / "mine.py"
    study.write_text(
        "from scaling.study import Grid, Study\n"
        f"grid = Grid(dataset=('{tiny_npz}',), n_train=(40,), recipe=('ce',), seeds=(0,))\n"
        f"STUDY = Study(name='other', question='{QUESTION}', grids=(grid,), notes=('± ü …',))\n",
        encoding="utf-8",
    )
    page = out.parent / "page.html"
    commands = [
        ["studies"], ["status", out], ["fit", out], ["data", "strokes"],
        ["predict", out, "--study", study], ["sweep", study, "--dry-run", "--cluster", "4 cpu"],
        ["report", out, "--html", page],
    ]  # fmt: skip
    code = (
        "import sys; from jobs.cli.main import main\n"
        f"for words in {[list(map(str, words)) for words in commands]!a}:\n"
        "    assert main(words) == 0, words\n"
        "assert main(['status', 'r\\udcc3\\udca9']) == 2\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | NOT_UTF8, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert "Traceback" not in done.stderr.decode("ascii")
    assert 'Are errors >= 2 x those of "\\xfc"?' in done.stdout.decode("ascii")
    assert "cannot read: run the same command in a UTF-8 locale" in done.stderr.decode("ascii")
    for path in (page, out / "report.md"):
        assert QUESTION in path.read_text(encoding="utf-8")


def test_a_page_replaces_no_results(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "metrics").mkdir()
    for name in ("metrics/x.parquet", "report.md", "numbers.json", "metrics/page.html"):
        with pytest.raises(InputError, match="lies among the results"):
            find_output(store, tmp_path / name)
    find_output(store, tmp_path / "mine.html")


def test_links_that_lead_to_each_other_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(InputError, match="cannot be written"):
        find_output(Store(tmp_path / "out"), tmp_path / "a")
