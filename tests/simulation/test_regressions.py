"""What seeds found, each as the smallest case: by hand, on a real disk."""

import errno
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import fill

from jobs.execution import sweep
from jobs.execution.lost_trials import UNKNOWN, WorkerLost
from scaling.engines.saved import TrainingState, from_bytes, to_bytes
from scaling.store import retries
from scaling.store.compact import compact
from scaling.store.places import Disk
from scaling.store.store import Store, WriteError
from scaling.study import Grid, Study, resolve

from .harm import failure_of


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
