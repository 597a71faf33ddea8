"""What seeds found of files that are not synced, each as the smallest case."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.execution.folder import mended_state
from scaling.store.compact import compact
from scaling.store.files import Files
from scaling.store.places import Disk
from scaling.store.store import Store


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
