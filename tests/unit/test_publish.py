"""Test published studies: small immutable files that restore the results, or one line of error."""

import hashlib
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import fill, published

from jobs import publish
from jobs.execution.worker import train_job
from jobs.planning.cost import plan_job
from jobs.publish import main, published_weights
from scaling.archive import parquet_file
from scaling.archive.models import Model, Row
from scaling.archive.parquet_file import (
    read_folder,
    read_published,
    tables,
    to_bytes,
    write_published,
)
from scaling.archive.weights import weights_to_bytes
from scaling.data import datasets
from scaling.errors import InputError
from scaling.recipes.registry import find_recipe
from scaling.store.store import Store
from scaling.study import Grid, Start, Study, plan, resolve

PUBLISHED = Path(__file__).parents[2] / "docs" / "published"


@pytest.fixture
def unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the retraining: models were drawn, not trained."""
    monkeypatch.setattr(publish, "VERIFIED", 0)


def contents(store: Store) -> tuple[Any, ...]:
    """Return everything that tools read of a folder, in one order."""
    kinds = {kind: store.read(kind).table for kind in ("metrics", "predictions", "failures")}
    order = {"metrics": [("run_id", "ascending"), ("epoch", "ascending")]}
    rows = {
        kind: table.sort_by(order.get(kind, [("run_id", "ascending")])).to_pylist()
        for kind, table in kinds.items()
    }
    return rows, store.read_plans()


def later(rows: Iterable[Row], days: int, **changes: object) -> list[Row]:
    return [{**row, **changes, "created_at": row["created_at"] + timedelta(days)} for row in rows]


def test_what_the_repository_publishes_is_whole() -> None:
    archives, weights = read_folder(PUBLISHED), published_weights(PUBLISHED)
    models = [(model.run_id, model.created_at) for archive in archives for model in archive.models]
    assert len(models) == len(set(models))
    assert set(weights) <= {run for run, _ in models}
    assert len(weights) <= 30
    assert sum(path.stat().st_size for path in PUBLISHED.iterdir()) <= parquet_file.MOST_BYTES


@pytest.mark.parametrize("fail", [None, 1])
def test_a_folder_comes_back_as_it_was(tmp_path: Path, fail: int | None) -> None:
    store, into = published(tmp_path, fail=fail)
    assert main(["--unpack", str(into), "--out", str(tmp_path / "again")]) == 0
    assert contents(Store(tmp_path / "again")) == contents(store)
    (path,) = into.iterdir()
    metrics, predictions = tables(read_published(path))
    assert metrics.schema.equals(store.read("metrics").table.schema)
    key = [("run_id", "ascending"), ("epoch", "ascending")]
    assert metrics.sort_by(key).equals(store.read("metrics").table.sort_by(key))
    key = key[:1]
    assert predictions.sort_by(key).equals(store.read("predictions").table.sort_by(key))


@pytest.mark.usefixtures("unverified")
def test_a_file_is_written_once_and_more_seeds_are_a_further_one(tmp_path: Path) -> None:
    out, into = tmp_path / "out", tmp_path / "published"
    published(tmp_path)
    (first,) = into.iterdir()
    before = first.read_bytes(), first.stat().st_mtime_ns
    assert main([str(out), "--into", str(into)]) == 0
    assert list(into.iterdir()) == [first]
    extended = fill(tmp_path / "more", seeds=(0, 1, 2))
    for run in list(extended.stamps("metrics")):  # what is published stays as it was
        if (old := out / "metrics" / f"{run}.parquet").exists():
            for kind in ("metrics", "predictions"):
                body = (out / kind / old.name).read_bytes()
                (tmp_path / "more" / kind / old.name).write_bytes(body)
    assert main([str(tmp_path / "more"), "--into", str(into)]) == 0
    (second,) = set(into.iterdir()) - {first}
    assert (first.read_bytes(), first.stat().st_mtime_ns) == before
    assert {model.rows[-1]["seed"] for model in read_published(second).models} == {2}
    assert main(["--unpack", str(into), "--out", str(tmp_path / "again")]) == 0
    assert contents(Store(tmp_path / "again"))[0] == contents(extended)[0]
    (cells,) = (p["cells"] for p in Store(tmp_path / "again").read_plans().values())
    assert [len(cell["members"]) for cell in cells] == [3] * 4


@pytest.mark.usefixtures("unverified")
def test_the_latest_rows_and_all_planned_models_are_unpacked(tmp_path: Path) -> None:
    _, into = published(tmp_path)
    fill(tmp_path / "second", seeds=(1,), n_train=(60, 90))
    assert main([str(tmp_path / "second"), "--into", str(into)]) == 0
    assert main(["--unpack", str(into), "--out", str(tmp_path / "again")]) == 0
    store, second = Store(tmp_path / "again"), Store(tmp_path / "second")
    rows = {row["run_id"]: row for row in store.read("metrics").table.to_pylist()}
    for row in second.read("metrics").table.to_pylist():
        assert rows[row["run_id"]]["created_at"] == row["created_at"]
    assert store.state().count(store.read_plans()["small"])["finished"] == 6
    assert len(rows) == 10
    members = [len(cell["members"]) for cell in store.read_plans()["small"]["cells"]]
    assert sorted(members) == [1, 1, 2, 2, 2, 2]


def test_the_latest_rows_stay_whatever_stands_beside_them(tmp_path: Path) -> None:
    """A file whose last training is late can hold an early one, of a model or of a failure."""
    _, into = published(tmp_path, fail=1)
    (archive,) = read_folder(into)
    first, other, *_ = archive.models

    def on(day: int, model: Model) -> Model:
        return replace(model, rows=tuple(later(model.rows, day)))

    older = replace(
        archive, models=(on(1, first), on(10, other)), failures=tuple(later(archive.failures, 1))
    )
    newer = replace(archive, models=(on(5, first),), failures=tuple(later(archive.failures, 5)))
    both = tmp_path / "both"
    for each in (older, newer):
        write_published(both, "small", ".parquet", each.created_at, to_bytes(each))
    assert main(["--unpack", str(both), "--out", str(tmp_path / "again")]) == 0
    (rows, _) = contents(Store(tmp_path / "again"))
    moments = {row["run_id"]: row["created_at"] for row in rows["metrics"]}
    assert moments == {
        first.run_id: first.created_at + timedelta(5),
        other.run_id: other.created_at + timedelta(10),
    }
    assert sorted(rows["failures"], key=str) == sorted(later(archive.failures, 5), key=str)


@pytest.mark.usefixtures("unverified")
def test_unpacking_replaces_no_results(tmp_path: Path, capsys: Any) -> None:
    _, into = published(tmp_path)
    assert main(["--unpack", str(into), "--out", str(tmp_path / "out")]) == 2
    assert "has results already" in capsys.readouterr().err
    assert main(["--unpack", str(tmp_path), "--out", str(tmp_path / "x")]) == 2
    assert main(["--unpack", str(into)]) == 2
    assert main([str(tmp_path / "nowhere"), "--into", str(into)]) == 2
    assert main([str(tmp_path / "out"), "--study", "other", "--into", str(into)]) == 2
    assert "has no study other: expected small" in capsys.readouterr().err


@pytest.mark.usefixtures("unverified")
def test_the_folder_stays_below_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    _, into = published(tmp_path)
    (first,) = into.iterdir()
    monkeypatch.setattr(parquet_file, "MOST_BYTES", 2 * first.stat().st_size - 1000)
    fill(tmp_path / "second", seeds=(5, 6))
    assert main([str(tmp_path / "second"), "--into", str(into)]) == 2
    assert "publish fewer models" in capsys.readouterr().err
    assert list(into.iterdir()) == [first]


def test_a_file_is_known_by_its_name(tmp_path: Path) -> None:
    _, into = published(tmp_path)
    (path,) = into.iterdir()
    body = path.read_bytes()
    assert re.fullmatch(
        r"small-\d{8}-" + hashlib.sha256(body).hexdigest()[:12] + ".parquet", path.name
    )
    for damaged in (body[:-1], body[: len(body) // 2], b"", body[:50] + b"?" + body[51:]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="its sha256 begins with"):
            read_folder(into)
    path.write_bytes(body)
    path.rename(into / "small.parquet")
    with pytest.raises(InputError, match="its name is not"):
        read_folder(into)


def split(store: Store) -> None:
    """Put each model into files of its own."""
    whole = store.contents()
    for kind in ("metrics", "predictions"):
        for name in store.file_names(kind, ".parquet"):
            store.delete_file(name)
    rows = whole.metrics.to_pylist()
    for prediction in whole.predictions.to_pylist():
        mine = [row for row in rows if row["run_id"] == prediction["run_id"]]
        store.write_model(mine, prediction)


def test_what_is_published_is_trained_again_first_and_so_are_weights(
    tmp_path: Path, tiny_npz: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference engine needs no compiling; the weights are those that it trained."""
    grid = Grid(
        dataset=(str(tiny_npz),), n_train=(30,), recipe=("1989",), epochs=(2,), seeds=(0, 1)
    )
    study = Study(name="tiny", question="?", grids=(grid,))
    (job,) = resolve(study, datasets.find)
    store, into = Store(tmp_path / "out"), tmp_path / "published"
    store.write_plan(plan(study, [job], [1.0]))
    runs = [job.cell.run_id(member) for member in job.members]
    train_job(plan_job(job, "cpu", "reference"), store, "tiny", lambda _: None)
    split(store)
    out = [str(tmp_path / "out"), "--into", str(into), "--data", str(tiny_npz)]
    (sound,) = store.read("predictions", names=[runs[0]]).table.to_pylist()
    first = store.read("metrics", names=[runs[0]]).table.to_pylist()
    store.write_model([{**row, "train_loss": 0.5} for row in first], sound)
    monkeypatch.setattr(publish, "VERIFIED", 1.0)
    assert main(out) == 2
    assert "does not hold what training gives: nothing was" in capsys.readouterr().err
    assert not into.exists()
    store.write_model(first, sound)
    assert main([*out, "--train-weights", runs[0]]) == 0
    monkeypatch.setattr(publish, "VERIFIED", 0)
    (weights,) = published_weights(into).values()
    assert sum(array.size for array in weights.values()) == 9760
    assert main([*out, "--train-weights", runs[0]]) == 0
    assert len(list(into.glob("*.npz"))) == 1

    assert main([*out, "--weights", runs[1]]) == 2
    assert "is missing: use --train-weights" in capsys.readouterr().err
    for stored, said in [
        (weights_to_bytes({"x": weights}), "expected the arrays of its model"),
        (npz({**weights, "h3_bias": weights["h3_bias"].astype(float)}), "float64"),
        (npz({**weights, "h3_bias": weights["h3_bias"][1:]}), "(29,)"),
        (npz(weights), "images are predicted otherwise"),  # those of another model
        (b"", "cannot be read"),
        (npz(weights)[:-50], "cannot be read"),
    ]:
        store.write_file(f"weights/{runs[1]}.npz", stored)
        assert main([*out, "--weights", runs[1]]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line
    assert len(list(into.glob("*.npz"))) == 1
    assert main([*out, "--train-weights", "unknown"]) == 2
    assert "is not published" in capsys.readouterr().err

    rows = store.read("metrics", names=[runs[1]]).table.to_pylist()
    (prediction,) = store.read("predictions", names=[runs[1]]).table.to_pylist()
    store.write_model(later(rows, 1, train_loss=0.5), prediction)
    store.write_model(later(first, 3), sound)  # in the same file, which is thus the last one
    assert main([*out, "--train-weights", runs[1]]) == 2
    assert (
        "came out differently when it was trained again (train_loss of epoch"
        in capsys.readouterr().err
    )
    store.write_model(later(rows, 2), prediction)
    assert main([*out, "--train-weights", runs[1]]) == 0
    own = published_weights(into)[runs[1]]
    for path in into.glob("*.npz"):
        path.unlink()
    store.write_file(f"weights/{runs[1]}.npz", npz(own))
    assert main([*out, "--weights", runs[1]]) == 0
    assert published_weights(into).keys() == {runs[1]}


@pytest.mark.usefixtures("unverified")
def test_a_start_on_anybody_s_own_file_is_trained_again(
    tmp_path: Path, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(find_recipe("1989"), epochs=1, batch_size=5)  # needs no compiling either
    start = Start(dataset=str(tiny_npz), n_train=30, recipe=recipe)
    grid = Grid(dataset=(str(tiny_npz),), n_train=(20,), recipe=(recipe,), seeds=(0,), start=start)
    study = Study(name="tiny", question="?", grids=(grid,))
    (job,) = resolve(study, datasets.find)
    store = Store(tmp_path / "out")
    store.write_plan(plan(study, [job], [1.0]))
    (run,) = (job.cell.run_id(member) for member in job.members)
    train_job(plan_job(job, "cpu", "reference"), store, "tiny", lambda _: None)
    monkeypatch.setenv("SCALING_CACHE_DIR", str(tmp_path / "empty"))  # as on another machine
    out = [str(tmp_path / "out"), "--into", str(tmp_path / "published")]
    assert main([*out, "--train-weights", run]) == 0


def npz(arrays: Mapping[str, Any]) -> bytes:
    """As `scaling train --save-weights` stores them."""
    body = io.BytesIO()
    np.savez(body, **arrays)
    return body.getvalue()
