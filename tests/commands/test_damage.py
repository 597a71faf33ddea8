"""Test that no flipped bit and no copied, swapped or cut file changes a figure unseen."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from flips import flip
from pydantic import TypeAdapter
from records import add_records
from small_runs import fill

from jobs.tuning.journal import Journal
from scaling.errors import InputError
from scaling.store.contents import Contents
from scaling.store.digest import seal_json
from scaling.store.mend import put_aside
from scaling.store.older_files import ENDED, Reader
from scaling.store.schema import SCHEMAS
from scaling.store.store import Store
from scaling.store.tables import encode, encode_rows


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Store models each in a file of its own, several in one file, a failure, and each record."""
    out = tmp_path_factory.mktemp("sound") / "out"
    store = fill(out, seeds=(0, 1, 2), n_train=(30,), fail=2)
    contents = store.contents()
    rows, predictions = contents.metrics.to_pylist(), contents.predictions.to_pylist()
    together = [p for p in predictions if p["run_id"].startswith("mnist-n30-w1-ce")]
    assert len(together) == 2
    for prediction in together:
        for kind in ("metrics", "predictions"):
            store.delete_file(f"{kind}/{prediction['run_id']}.parquet")
    store.write_models(
        [([r for r in rows if r["run_id"] == p["run_id"]], p) for p in together], "cell"
    )
    add_records(store)
    assert not store.contents().corrupt
    return out


def figures(contents: Contents) -> tuple[Any, ...]:
    """Return all that a report takes from a folder, but the place of rows."""
    return (
        {"plans": dict(contents.plans), "records": contents.records},
        sorted(map(str, contents.metrics.to_pylist())),
        sorted(map(str, contents.predictions.to_pylist())),
        sorted(map(str, contents.failures.to_pylist())),
    )


def files_of(out: Path) -> list[Path]:
    return sorted(path for path in out.rglob("*") if path.is_file())


def files_of_models(out: Path) -> list[Path]:
    return sorted(path for kind in SCHEMAS for path in (out / kind).iterdir())


def check_flips(sound: Path, seed: int, count: int) -> None:
    draw, truth = random.Random(seed), figures(Store(sound).contents())
    for number in range(count):
        path = draw.choice(files_of(sound))
        body, bit = path.read_bytes(), draw.randrange(8 * path.stat().st_size)
        flip(path, bit)
        contents = Store(sound).contents()
        path.write_bytes(body)
        where = f"flip {number} of seed {seed}: bit {bit} of {path.name}"
        assert [file.path for file in contents.corrupt] == [str(path)], where
        kept = zip(figures(contents)[1:], truth[1:], strict=True)
        assert all(set(found) <= set(rows) for found, rows in kept), where
    assert figures(Store(sound).contents()) == truth


def test_no_flipped_bit_is_unseen(sound: Path) -> None:
    check_flips(sound, seed=1, count=400)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_none_of_ten_thousand_flipped_bits_is_unseen(sound: Path) -> None:
    check_flips(sound, seed=2, count=10_000)


def _copy(draw: random.Random, one: Path, _: Path) -> None:
    shutil.copy(one, one.with_stem(f"{one.stem} (conflicted copy {draw.randrange(9)})"))


def _swap(_: random.Random, one: Path, other: Path) -> None:
    bodies = one.read_bytes(), other.read_bytes()
    other.write_bytes(bodies[0])
    one.write_bytes(bodies[1])


def _replace(_: random.Random, one: Path, other: Path) -> None:
    shutil.copy(one, other)


def _cut(draw: random.Random, one: Path, _: Path) -> None:
    one.write_bytes(one.read_bytes()[: draw.randrange(one.stat().st_size)])


def _delete(_: random.Random, one: Path, __: Path) -> None:
    one.unlink()


Harm = Callable[[random.Random, Path, Path], None]
HARMS = pytest.mark.parametrize("harm", [_copy, _swap, _replace, _cut, _delete])


@HARMS
def test_no_harm_to_whole_files_changes_a_figure(sound: Path, tmp_path: Path, harm: Harm) -> None:
    check_harms(sound, tmp_path, harm, 20)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@HARMS
def test_none_of_a_thousand_harms_changes_a_figure(sound: Path, tmp_path: Path, harm: Harm) -> None:
    check_harms(sound, tmp_path, harm, 200)


def check_harms(sound: Path, folder: Path, harm: Harm, count: int) -> None:
    """What is left is right, what is not whole is named or missing, and mending ends both."""
    draw, truth = random.Random(f"{harm.__name__} {count}"), figures(Store(sound).contents())
    for number in range(count):
        out = folder / str(number)
        shutil.copytree(sound, out)
        one, other = draw.sample(files_of_models(out), 2)
        harm(draw, one, other)
        store = Store(out)
        contents = store.contents()
        kept = [set(rows) for rows in figures(contents)[1:]]
        assert all(found <= set(rows) for found, rows in zip(kept, truth[1:], strict=True))
        assert all(len(rows) == len(set(rows)) for rows in figures(contents)[1:])
        lost = figures(contents) != truth
        assert lost or contents.misplaced or contents.corrupt
        if harm is not _delete:
            assert contents.corrupt or contents.misplaced
        before = {path.read_bytes() for path in files_of_models(out)}
        list(put_aside(contents, store))
        mended = store.contents()
        assert not mended.corrupt
        assert not mended.misplaced
        assert [set(rows) for rows in figures(mended)[1:]] == kept
        there = {path.read_bytes() for path in out.rglob("*.parquet")}
        assert {b for b in before if b.startswith(b"PAR1") and b in there} or harm is _delete
        shutil.rmtree(out)


def rewrite(path: Path, change: Callable[[pd.DataFrame], None]) -> None:
    """Change the rows of a file as its writer would, digests included."""
    schema = SCHEMAS[path.parent.name]
    rows = pq.read_table(path).to_pylist()
    for row in rows:
        change(row)
    path.write_bytes(encode_rows(rows, schema))


@pytest.mark.parametrize(
    ("kind", "name", "value", "said"),
    [
        ("metrics", "test_misses", 0, "by its predictions"),
        ("metrics", "test_misses", 102, "expected 0 to 101"),
        ("metrics", "n_train", 31, "n_train 31, expected 30 by its plan"),
        ("metrics", "width", 2.0, "width 2.0, expected 1.0 by its plan"),
        ("metrics", "seed", 7, "seed 7, expected"),
        ("metrics", "epoch", 5, "epoch 5 has several rows"),
        ("predictions", "n_test", 20_000_000_000, "in other numbers of bytes"),
        ("predictions", "n_test", -5, "in other numbers of bytes"),
        ("predictions", "n_test", None, "in other numbers of bytes"),
        ("predictions", "correct", b"", "in other numbers of bytes"),
        ("predictions", "correct", np.packbits(np.ones(101, bool)).tobytes(), "by its predictions"),
    ],
)
def test_rows_that_cannot_be_right_are_named_and_count_for_nothing(
    sound: Path, tmp_path: Path, kind: str, name: str, value: Any, said: str
) -> None:
    shutil.copytree(sound, tmp_path / "out")
    store = Store(tmp_path / "out")
    path = next(p for p in sorted((tmp_path / "out" / kind).iterdir()) if "1989" in p.name)
    runs = set(pq.read_table(path)["run_id"].to_pylist())
    rewrite(path, lambda row: row.__setitem__(name, value))
    contents = store.contents()
    assert any(said in file.error for file in contents.corrupt), contents.corrupt
    assert not runs & store.state().finished
    assert list(put_aside(contents, store))
    assert not store.contents().corrupt
    assert (tmp_path / "out" / "damaged" / kind / path.name).exists()


def test_one_forged_model_of_a_file_costs_no_other(sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "out")
    store = Store(tmp_path / "out")
    before = store.state().finished
    (path,) = (tmp_path / "out" / "metrics").glob("cell-*")
    run = pq.read_table(path)["run_id"][0].as_py()

    def forge(row: Any) -> None:
        if row["run_id"] == run:
            row["test_misses"] = 1

    rewrite(path, forge)
    list(put_aside(store.contents(), store))
    assert store.state().finished == before - {run}
    assert not store.contents().corrupt


@pytest.mark.parametrize("changed", [False, True])
def test_a_file_of_several_models_beside_those_of_each_is_compared_with_all(
    sound: Path, tmp_path: Path, changed: bool
) -> None:
    """As where a trial that was thought dead had stored its models one by one."""
    shutil.copytree(sound, tmp_path / "out")
    store, truth = Store(tmp_path / "out"), figures(Store(sound).contents())
    for kind in ("metrics", "predictions"):
        (path,) = (tmp_path / "out" / kind).glob("cell-*")
        rows = pq.read_table(path).to_pylist()
        path.rename(path.with_name(path.name.replace("cell-", "z-later-by-name-")))
        for run in {row["run_id"] for row in rows}:
            mine = [row for row in rows if row["run_id"] == run]
            if changed and kind == "metrics":
                mine[-1]["test_loss"] += 1.0
            body = encode_rows(mine, SCHEMAS[kind])
            store.write_file(f"{kind}/{run}.parquet", body)
    contents = store.contents()
    assert contents.corrupt == ()
    assert {"OTHER" in file.error for file in contents.misplaced} == {False} | {changed}
    if not changed:
        assert figures(contents) == truth


def test_rows_of_a_newer_version_are_refused(sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "out")
    path = sorted((tmp_path / "out" / "metrics").iterdir())[0]
    rewrite(path, lambda row: row.__setitem__("schema_version", 99))
    with pytest.raises(InputError, match=r"version 99, expected at most 1: install the version"):
        Store(tmp_path / "out").contents()


def test_a_damaged_row_group_costs_its_models_alone(tmp_path: Path) -> None:
    """A compacted file has many: the rest of its models stay."""
    store = fill(tmp_path, seeds=tuple(range(6)), n_train=(30,))
    whole = store.contents()
    for kind in ("metrics", "predictions"):
        for path in (tmp_path / kind).iterdir():
            path.unlink()
        table = getattr(whole, kind).sort_by("run_id")
        rows = len(table) // len(whole.state.finished)
        groups = [table.slice(at, rows) for at in range(0, len(table), rows)]
        store.write_file(f"{kind}/all.parquet", encode(groups, SCHEMAS[kind]))
    victim = tmp_path / "metrics" / "all.parquet"
    flip(victim, 8 * 2000)
    contents = store.contents()
    assert "1 of its row groups" in contents.corrupt[0].error
    assert len(contents.state.finished) == len(whole.state.finished) - 1
    list(put_aside(contents, store))
    assert len(store.state().finished) == len(whole.state.finished) - 1
    assert not store.contents().corrupt


def test_older_files_are_read_and_said_to_be_unverified(sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "out")
    store, truth = Store(tmp_path / "out"), figures(Store(sound).contents())
    for path in (tmp_path / "out" / "metrics").iterdir():
        pq.write_table(pq.read_table(path), path)
    contents = store.contents()
    assert figures(contents) == truth
    assert (contents.corrupt, contents.misplaced) == ((), ())
    assert contents.unverified == len(list((tmp_path / "out" / "metrics").iterdir()))


def test_flipped_bits_of_older_files_end_no_command(sound: Path, tmp_path: Path) -> None:
    """Without digests pyarrow ends its process at some of them, and reads text that is none."""
    shutil.copytree(sound, tmp_path / "out")
    store, draw = Store(tmp_path / "out"), random.Random(3)
    for kind in ("metrics", "predictions"):
        path = sorted((tmp_path / "out" / kind).iterdir())[0]
        pq.write_table(pq.read_table(path), path)
        body = path.read_bytes()
        for _ in range(8):
            flip(path, draw.randrange(8 * len(body)))
            figures(store.contents())
            path.write_bytes(body)


def test_a_file_that_ends_its_reader_is_named(sound: Path) -> None:
    body = sorted((sound / "metrics").iterdir())[0].read_bytes()
    with Reader() as reader:
        assert reader.error_of(body) is None
        assert reader._process is not None
        reader._process.kill()
        reader._process.wait()
        assert reader.error_of(body) == ENDED
        assert reader.error_of(body) is None


def test_a_plan_that_is_damaged_is_named_and_the_others_are_read(
    sound: Path, tmp_path: Path
) -> None:
    shutil.copytree(sound, tmp_path / "out")
    store = Store(tmp_path / "out")
    (plan,) = store.read_plans().values()
    store.write_file("studies/other.json", seal_json({**plan, "name": "other"}))
    flip(tmp_path / "out" / "studies" / "other.json", 8 * 100)
    contents = store.contents()
    assert list(contents.plans) == ["small"]
    assert [Path(file.path).name for file in contents.corrupt] == ["other.json"]
    with pytest.raises(InputError, match=r"other\.json"):
        store.read_plans()


def test_a_flipped_bit_in_a_small_file_is_seen(tmp_path: Path) -> None:
    """Records of sweeps, forecasts, and each line of a tuning's journal."""
    store = Store(tmp_path)
    journal = Journal(store, "tuning/t.journal")
    journal.append_logs([{"op_code": 0, "study_name": "t"}, {"op_code": 4, "value": 0.25}])
    store.write_json("runs/a.json", {"study": "t", "wall_s": 12.5})
    any_value = TypeAdapter[Any](Any)
    assert store.read_json(["runs/a.json"], any_value)[0] == [{"study": "t", "wall_s": 12.5}]
    assert Journal(store, "tuning/t.journal").read_logs(1) == [{"op_code": 4, "value": 0.25}]
    path = tmp_path / "runs" / "a.json"
    for bit in range(0, 8 * path.stat().st_size, 7):
        flip(path, bit)
        found, corrupt = store.read_json(["runs/a.json"], any_value)
        assert not found
        assert len(corrupt) == 1
        flip(path, bit)
    path = tmp_path / "tuning" / "t.journal"
    for bit in range(0, 8 * path.stat().st_size, 11):
        flip(path, bit)
        with pytest.raises(ValueError, match=r"."):
            Journal(store, "tuning/t.journal")
        flip(path, bit)
