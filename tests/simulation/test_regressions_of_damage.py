"""What seeds found of damaged files, each as the smallest case: by hand, on a real disk."""

import errno
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from flips import flip
from small_runs import fill

from jobs.execution.folder import mended_state
from scaling.errors import InputError
from scaling.store import compact as compact_module
from scaling.store.compact import compact
from scaling.store.mend import put_aside
from scaling.store.names import name_of
from scaling.store.places import Disk
from scaling.store.schema import FAILURES
from scaling.store.store import Store
from scaling.store.tables import encode, group_ends

from .harm import failure_of, figures


def test_a_bit_that_flips_on_its_way_puts_nothing_aside(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Seeds 30 and 167: a good file was moved into damaged/."""
    get, done = Disk.get, set[str]()

    def flipping(self: Disk, path: str, most: int) -> bytes:
        body = bytearray(get(self, path, most))
        if path not in done:  # the first time only
            done.add(path)
            body[len(body) // 2] ^= 1
        return bytes(body)

    truth = figures(store)
    monkeypatch.setattr(Disk, "get", flipping)
    lines: list[str] = []
    mended_state(store, lines.append)
    assert lines == []
    assert figures(store) == truth
    assert len(done) > 8
    assert not (tmp_path / "out" / "damaged").exists()


@pytest.mark.usefixtures("quick")
def test_a_file_that_the_disk_does_not_give_is_not_put_aside(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A short outage of a bucket would move its files."""
    get = Disk.get

    def failing(self: Disk, path: str, most: int) -> bytes:
        if "/metrics/" in path:
            raise OSError(errno.EIO, "Input/output error")
        return get(self, path, most)

    monkeypatch.setattr(Disk, "get", failing)
    with pytest.raises(InputError, match=r"Input/output error.*run the same command again"):
        mended_state(store, print)
    run = sorted((tmp_path / "out" / "metrics").iterdir())[0].stem
    with pytest.raises(InputError, match="Input/output error"):
        store.stored_models({run: ""})
    assert not (tmp_path / "out" / "damaged").exists()


def test_sound_models_of_a_damaged_file_survive_a_mending_that_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file was moved before its sound rows were written."""
    monkeypatch.setattr(compact_module, "GROUP", 1)
    store = fill(tmp_path / "out", seeds=(0, 1, 2), n_train=(30,))
    compact(store.contents(), store)
    truth = store.state().finished
    (victim,) = (tmp_path / "out" / "metrics").iterdir()
    flip(victim, 8 * 2000)
    next(put_aside(store.contents(), store))  # it is moved, and nothing more happens
    assert len(truth - store.state().finished) == 1
    list(put_aside(store.contents(), store))
    assert len(truth - store.state().finished) == 1
    assert not store.contents().corrupt


def test_a_file_that_another_driver_puts_aside_meanwhile_ends_no_command(
    store: Store, tmp_path: Path
) -> None:
    """Seed 286, of a bucket: two drivers mend at once."""
    flip(sorted((tmp_path / "out" / "metrics").iterdir())[0], 8 * 500)
    other, contents = Store(store.out), store.contents()
    list(put_aside(other.contents(), other))
    list(put_aside(contents, store))
    assert len(store.state().finished) == 3


def test_a_file_that_could_not_be_read_survives_a_compaction(store: Store, tmp_path: Path) -> None:
    victim = sorted((tmp_path / "out" / "metrics").iterdir())[0]
    flip(victim, 8 * 500)
    harmed = store.contents()
    flip(victim, 8 * 500)
    compact(harmed, store)
    assert victim.exists()
    assert len(store.state().finished) == 4


def test_a_lost_failure_beside_a_later_one_is_damage_and_no_copy(
    store: Store, tmp_path: Path
) -> None:
    """Seed 30810: without its lost rows a file has another name, and was put aside twice."""
    rows = store.contents().failures
    for file in (tmp_path / "out" / "failures").iterdir():
        file.unlink()
    path = (
        tmp_path / "out" / "failures" / f"{name_of(rows['run_id'].to_pylist(), 'compact')}.parquet"
    )
    path.write_bytes(encode([rows.slice(0, 1), rows.slice(1)], FAILURES))
    later = failure_of(store, "infrastructure")
    assert later["run_id"] == rows["run_id"][0].as_py()
    flip(path, 8 * group_ends(pq.read_metadata(path))[1] - 99)
    lines: list[str] = []
    mended_state(store, lines.append)
    (line,) = lines
    assert "1 of its row groups are not what was written" in line
    assert "OTHER results" not in line
    assert store.state().failures[later["run_id"]]["error"] == "later"


def test_a_file_that_another_driver_has_written_anew_meanwhile_stays(
    store: Store, tmp_path: Path
) -> None:
    """Seed 23560: it was put aside and written again, and not there in between."""
    path = min((tmp_path / "out" / "metrics").iterdir())
    whole = path.read_bytes()
    flip(path, 8 * 500)
    seen = store.contents()
    path.write_bytes(whole)
    assert [*put_aside(seen, store)] == []
    assert path.read_bytes() == whole
    assert not (tmp_path / "out" / "damaged").exists()


def test_a_misplaced_failure_of_a_whole_cell_keeps_its_name(store: Store, tmp_path: Path) -> None:
    lost = {"cell_id": "a cell", "run_id": None, "kind": "infrastructure", "error": "a node"}
    store.write_failure(lost)
    failures = tmp_path / "out" / "failures"
    (failures / "a cell.parquet").rename(failures / "another.parquet")
    mended_state(store, print)
    assert {"a cell.parquet"} == {path.name for path in failures.iterdir() if "cell" in path.name}
    assert "a cell" in store.contents().failures["cell_id"].to_pylist()
