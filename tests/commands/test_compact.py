"""Test `scaling compact`: few files with the same rows, whatever interrupts it."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from small_runs import fill
from test_damage import figures, flip

from jobs.cli.main import main
from scaling.store import compact as compact_module
from scaling.store.compact import compact
from scaling.store.store import Store, WriteError


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact_module, "FILE", 5)
    monkeypatch.setattr(compact_module, "GROUP", 2)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return fill(tmp_path / "out", seeds=(0, 1, 2), fail=2)


def test_the_same_rows_lie_in_few_files(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    truth = figures(store.contents())
    assert main(["compact", store.out]) == 0
    assert "8 models in 5 files" in capsys.readouterr().out
    assert figures(store.contents()) == truth
    names = [Path(name).stem for name in store.file_names("metrics", ".parquet")]
    assert len(names) == 2
    assert all(name.startswith("compact-") for name in names)
    contents = store.contents()
    assert (contents.corrupt, contents.misplaced, contents.unverified) == ((), (), 0)
    stamps = store.stamps("metrics")
    assert main(["compact", store.out]) == 0
    assert store.stamps("metrics") == stamps, "what is compact already is left alone"


class Stopped(Exception):
    pass


@pytest.mark.parametrize("action", ["write_file", "delete_file"])
@pytest.mark.parametrize("after", range(8))
def test_interrupted_anywhere_nothing_is_lost_or_counted_twice(
    store: Store, action: str, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth, done = figures(store.contents()), []
    whole = getattr(Store, action)

    def stopping(self: Store, *args: Any) -> None:
        if len(done) == after:
            raise Stopped
        done.append(args)
        whole(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Store, action, stopping)
        try:
            compact(store.contents(), store)
        except Stopped:
            pass
        else:
            assert after > 4, "it was not interrupted"
    contents = store.contents()
    assert figures(contents) == truth
    assert (contents.corrupt, contents.misplaced) == ((), ())
    compact(contents, store)
    assert figures(store.contents()) == truth
    assert len(store.file_names("metrics", ".parquet")) == 2


def test_what_cannot_be_read_back_removes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that stores another bit."""
    truth, write = figures(store.contents()), Store.write_file

    def flipping(self: Store, name: str, body: bytes) -> None:
        write(self, name, body)
        flip(self.root / name, 3000)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write_file", flipping)
        with pytest.raises(WriteError, match="cannot be read back as it was written"):
            compact(store.contents(), store)
    kept = [set(rows) for rows in figures(store.contents())[1:]]
    assert kept == [set(rows) for rows in truth[1:]]


def test_a_reader_that_meets_a_compaction_reads_all(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth, read, calls = figures(store.contents()), type(store._files).read, []

    def compacting(self: Any, name: str) -> bytes | None:
        if len(calls) == 0 and name.startswith("metrics"):
            calls.append(name)
            other = Store(store.out)
            compact(other.contents(), other)
        body: bytes | None = read(self, name)
        return body

    monkeypatch.setattr(type(store._files), "read", compacting)
    assert figures(store.contents()) == truth
    assert calls


def test_damage_in_a_large_file_costs_a_group(store: Store, tmp_path: Path) -> None:
    compact(store.contents(), store)
    before = store.state().finished
    victim = sorted((tmp_path / "out" / "metrics").iterdir())[0]
    flip(victim, 8 * 200)
    assert len(before - store.state().finished) == 2
    shutil.rmtree(tmp_path / "out" / "figures", ignore_errors=True)
    assert main(["compact", store.out]) == 0
    assert len(before - store.state().finished) == 2
    assert not store.contents().corrupt
