"""What seeds found, each as the smallest case: by hand, on a real disk."""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import fill

from jobs.execution import sweep
from jobs.execution.folder import mended_state
from jobs.execution.lost_trials import UNKNOWN, WorkerLost
from scaling.engines.saved import TrainingState, from_bytes, to_bytes
from scaling.errors import InputError
from scaling.store import compact as compact_module
from scaling.store import retries
from scaling.store.compact import compact
from scaling.store.files import Files
from scaling.store.mend import put_aside
from scaling.store.places import Disk
from scaling.store.store import Store, WriteError
from scaling.study import Grid, Study, resolve


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Store four models, each in a file of its own, and two failures."""
    return fill(tmp_path / "out", seeds=(0, 1, 2), n_train=(30,), fail=2)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "WAITS_S", ())


def figures(store: Store) -> tuple[list[str], ...]:
    contents = store.contents()
    kinds = (contents.metrics, contents.predictions, contents.failures)
    return tuple(sorted(map(str, table.to_pylist())) for table in kinds)


def flip(path: Path, bit: int) -> None:
    body = bytearray(path.read_bytes())
    body[bit // 8] ^= 1 << bit % 8
    path.write_bytes(body)


def failure_of(store: Store, kind: str) -> dict[str, Any]:
    """Store a later failure of the first failed model; return its row."""
    row = store.contents().failures.to_pylist()[0]
    later = {"run_id": row["run_id"], "cell_id": row["cell_id"], "kind": kind, "error": "later"}
    store.write_failure(later)
    return later


def test_a_model_that_is_stored_during_a_compaction_stays(store: Store, tmp_path: Path) -> None:
    """Seeds 9 and 141: compaction listed the files to delete after it had read them."""
    late = fill(tmp_path / "late", seeds=(7,), n_train=(60,))
    contents = store.contents()
    for kind in ("predictions", "metrics"):
        for path in (tmp_path / "late" / kind).iterdir():
            shutil.copy(path, tmp_path / "out" / kind)
    compact(contents, store)
    assert late.state().finished <= store.state().finished
    assert contents.state.finished <= store.state().finished


def test_a_file_that_could_not_be_read_survives_a_compaction(store: Store, tmp_path: Path) -> None:
    victim = sorted((tmp_path / "out" / "metrics").iterdir())[0]
    flip(victim, 8 * 500)
    harmed = store.contents()
    flip(victim, 8 * 500)
    compact(harmed, store)
    assert victim.exists()
    assert len(store.state().finished) == 4


def test_a_failure_after_a_compaction_counts(store: Store) -> None:
    """Seed 141: the earlier one, which was compacted, counted, and the later was put aside."""
    compact(store.contents(), store)
    assert all(name.startswith("failures/compact-") for name in store.file_names("failures", ""))
    later = failure_of(store, "infrastructure")
    contents = store.contents()
    assert contents.misplaced == ()
    assert contents.state.failures[later["run_id"]]["error"] == "later"
    for _ in range(2):  # the second finds a compact file of the same name
        compact(store.contents(), store)
        assert store.state().failures[later["run_id"]]["error"] == "later"
        later = failure_of(store, "numeric")
    assert store.state().failed(later["run_id"], "numeric")


def test_a_failure_during_a_compaction_counts(store: Store) -> None:
    contents = store.contents()
    later = failure_of(store, "infrastructure")
    compact(contents, store)
    assert store.state().failures[later["run_id"]]["error"] == "later"


def test_a_model_that_became_nan_keeps_that_when_its_trial_is_lost(store: Store) -> None:
    """Seeds 48 and 68: another failure took its place, and each command trained it again."""
    jobs = _jobs()
    nan = [run for run in store.state().failures if store.state().failed(run, "numeric")]
    assert len(nan) == 2
    sweep.store_failures([(jobs, WorkerLost(UNKNOWN))], store)
    assert all(store.state().failed(run, "numeric") for run in nan)


def _jobs() -> Any:
    from small_runs import INFO

    grid = Grid(n_train=(30,), recipe=("1989", "ce"), epochs=(5,), seeds=(0, 1, 2), split="tune")
    return resolve(Study(name="small", question="?", grids=(grid,)), lambda _: ("mnist", INFO))


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


@pytest.mark.parametrize("call", ["move", "delete"])
@pytest.mark.usefixtures("quick")
def test_a_change_that_fails_is_one_sentence(
    store: Store, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Seed 24: the command ended with the traceback of an OSError."""

    def failing(*_: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Disk, call, failing)
    name = store.file_names("metrics", ".parquet")[0]
    with pytest.raises(WriteError, match=r"Input/output error.*run the same command again"):
        (store.set_aside if call == "move" else store.delete_file)(name)


def test_a_name_that_is_gone_when_the_answer_was_lost_is_no_error(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deletion that is tried again, as its answer was lost."""
    delete, tries = Disk.delete, list[str]()

    def losing(self: Disk, path: str) -> None:
        tries.append(path)
        delete(self, path)
        if len(tries) == 1:
            raise OSError(errno.ETIMEDOUT, "the answer is lost")

    monkeypatch.setattr(Disk, "delete", losing)
    monkeypatch.setattr(retries, "WAITS_S", (0.0,))
    store.delete_file(store.file_names("metrics", ".parquet")[0])
    assert len(tries) == 2


def test_each_flipped_bit_of_a_checkpoint_is_a_damaged_checkpoint() -> None:
    """Seed 23643: zipfile met one with NotImplementedError, which ended the trial."""
    state = TrainingState(
        epoch=1,
        wall_s=0.0,
        cpu_s=0.0,
        histories=((),),
        failures=(None,),
        arrays={"state": np.zeros(1)},
    )
    body = to_bytes(state, {"runs": ["a"]})
    assert from_bytes(body)[1] == {"runs": ["a"]}
    for bit in range(8 * len(body)):
        harmed = bytearray(body)
        harmed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError, match="it is not what was written"):
            from_bytes(bytes(harmed))


def _synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    folders, sync = list[str](), Disk.sync_folder

    def noting(self: Disk, path: str) -> None:
        folders.append(Path(path).name)
        sync(self, path)

    monkeypatch.setattr(Disk, "sync_folder", noting)
    return folders


def _worker(store: Store) -> None:
    store.stored_models(dict.fromkeys(store.state().finished, ""))


def _sweep(store: Store) -> None:
    mended_state(store, print)


def _compaction(store: Store) -> None:
    compact(store.contents(), store)


@pytest.mark.parametrize("look", [_worker, _sweep, _compaction])
def test_what_is_seen_is_synced_before_anything_builds_on_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, look: Callable[[Store], Any]
) -> None:
    """Seed 241: a worker was killed between moving its file into place and syncing the folder."""
    with monkeypatch.context() as patch:
        patch.setattr(Store, "delete_file", lambda *_: None)
        compact(store.contents(), store)  # killed before it deletes
    folders = _synced(monkeypatch)
    look(store)
    assert {"metrics", "predictions"} <= set(folders)


def test_a_written_file_and_its_folders_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders, calls = _synced(monkeypatch), list[str]()
    create, rename = Disk.create, Disk.rename
    monkeypatch.setattr(Disk, "create", lambda *a: (create(*a), calls.append("create"))[0])
    monkeypatch.setattr(Disk, "rename", lambda *a: (rename(*a), calls.append("rename"))[0])
    monkeypatch.setattr("os.fsync", lambda _: calls.append("fsync"))
    files = Files(tmp_path / "a" / "b")
    files.write("metrics/x.parquet", b"x")
    calls.clear()
    files.write("metrics/y.parquet", b"y")
    assert calls == ["fsync", "create", "rename", "fsync"]
    assert {"b", "a", tmp_path.name, "metrics"} <= set(folders)


def test_a_folder_is_synced_also_where_another_process_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seed 11508: the sync of the results folder's own name failed, and nobody did it again."""
    (tmp_path / "out").mkdir()
    folders = _synced(monkeypatch)
    Files(tmp_path / "out").write("metrics/x.parquet", b"x")
    assert tmp_path.name in folders


def test_two_trainings_of_a_model_by_two_studies_have_the_same_results(
    store: Store, tmp_path: Path
) -> None:
    """Their rows name other studies, which is no other result."""
    other = fill(tmp_path / "other", seeds=(0, 1, 2), n_train=(30,), fail=2)
    rows = other.contents()
    run = min(other.state().finished)
    mine = [row | {"study": "another"} for row in rows.metrics.to_pylist() if row["run_id"] == run]
    store.write_models(
        [(mine, p) for p in rows.predictions.to_pylist() if p["run_id"] == run], prefix=""
    )
    shutil.copy(
        tmp_path / "other" / "metrics" / f"{run}.parquet",
        tmp_path / "out" / "metrics" / "copy.parquet",
    )
    assert ["same results" in file.error for file in store.contents().misplaced] == [True]
