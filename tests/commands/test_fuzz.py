"""Every reader of what strangers write ends in a result or in one line, whatever it is given."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planned import planned_cell

from analysis.laws.points import read_points
from analysis.report.build import report
from analysis.results.load import load
from jobs.tuning.define import FOUND
from jobs.tuning.journal import DAMAGE, Journal
from scaling.data.formats import inspect_npz
from scaling.errors import InputError
from scaling.store.plan_schema import parse_plan
from scaling.store.record_schema import FORECAST, SPEEDS, SWEEP
from scaling.store.store import Store
from scaling.untrusted import conform, parse_json

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([10**400, -5, "../x", "\x1b[31m", "x" * 10_000]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
PLAN: dict[str, Any] = {
    "name": "t",
    "question": "Why?",
    "notes": ["x"],
    "command": "",
    "analyses": [{"kind": "ScalingCurve", "x": "n_train"}],
    "cells": [planned_cell("a", "a0", "a1", predicted_s=1.0), planned_cell("b", "b0")],
    "tuning": {
        "total": 2,
        "published": {"lr": 0.1},
        "space": [
            {"name": "lr", "scale": "log", "range": [0.01, 1], "first_range": [0.01, 1],
             "edges": [0.02, 0.5]}
        ],
        "widened": [{"name": "lr", "side": "low", "after": 1, "from": [1, 2], "to": [1, 2]}],
        "suggestions": [{"number": 0, "values": {"lr": 0.1}, "run_ids": ["a0"]}],
        "fixed": {},
    },
}  # fmt: skip
RECORDS = {
    "sweep": (SWEEP, {"study": "t", "device": "cpu", "cpus": 1, "gpus": 0, "trials": 1,
                      "models": 1, "predicted_wall_s": 1.0, "wall_s": None, "started_at": "x"}),
    "forecast": (FORECAST, {"cell_id": "a", "n_train": 9, "dataset": "mnist", "width": 1.0,
                            "recipe": "1989", "epochs": 1, "made_at": "2026-01-01T00:00:00+00:00",
                            "error": 0.1, "low": 0.0, "high": 0.2, "level": 0.9,
                            "fitted_n_train": [1]}),
    "speeds": (SPEEDS, [{"engine": "e", "recipe": "1989", "width": 1, "us": 1.0,
                         "us_range": [1.0, 2.0], "loop_us": 1.0, "ratio": 1.0, "floor_us": None,
                         "floor_ratio": None}]),
    "tuning": (FOUND, {"recipe": "1989", "fixed": {}, "best": {"values": {"lr": 0.1}}}),
}  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths to all values within a value."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value if isinstance(value, list) else ())
    )
    return [path, *(found for key, each in inner for found in places(each, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any, delete: bool) -> Any:
    """Return a copy of a value with another one at a place, or none."""
    if not path:
        return new
    copy = json.loads(json.dumps(value))
    at = copy
    for key in path[:-1]:
        at = at[key]
    if delete:
        del at[path[-1]]
    else:
        at[path[-1]] = new
    return copy


def spoilt(data: st.DataObject, value: Any) -> bytes:
    """Draw JSON of which a value was replaced or deleted, or a few bytes were."""
    path = data.draw(st.sampled_from(places(value)))
    body = json.dumps(changed(value, path, data.draw(JSON), data.draw(st.booleans()))).encode()
    return damaged(data, body) if data.draw(st.integers(0, 3)) == 0 else body


def damaged(data: st.DataObject, body: bytes) -> bytes:
    at = data.draw(st.integers(0, len(body) - 1))
    left = data.draw(st.sampled_from([0, 1, 8, len(body)]))
    return body[:at] + data.draw(st.binary(max_size=4)) + body[at + left :]


@contextmanager
def a_line(*errors: type[BaseException]) -> Iterator[None]:
    """Let these errors pass, if their message is one line."""
    try:
        yield
    except errors as error:
        if len(str(error).splitlines()) > 1:
            raise AssertionError(f"several lines: {error}") from error


def a_plan(data: st.DataObject, tmp: Path) -> None:
    """A plan that passes its schema is read by every reader."""
    plan = None
    with a_line(ValueError):
        plan = parse_plan("t.json", spoilt(data, PLAN))
    if plan is None:
        return
    shutil.rmtree(tmp / "out", ignore_errors=True)
    (tmp / "out" / "studies").mkdir(parents=True)
    (tmp / "out" / "studies" / "t.json").write_text(json.dumps(plan))
    found = load(tmp / "out")
    assert found.counts()["cells"] == len({cell["cell_id"] for cell in plan["cells"]})
    with a_line(InputError):
        report(found, html=None)


def a_record(data: st.DataObject, _: Path) -> None:
    schema, value = RECORDS[data.draw(st.sampled_from(sorted(RECORDS)))]
    with a_line(ValueError):
        conform(parse_json(spoilt(data, value)), schema)


def a_journal(data: st.DataObject, tmp: Path) -> None:
    logs: list[dict[str, Any]] = [
        {"op_code": 0, "worker_id": "w", "study_name": "x", "directions": [1]},
        {"op_code": 2, "worker_id": "w", "study_id": 0, "user_attr": {"ranges": {"lr": [1, 2]}}},
        {"op_code": 4, "worker_id": "w", "study_id": 0, "datetime_start": None, "state": 4},
        {"op_code": 6, "worker_id": "w", "trial_id": 0, "state": 0, "values": None,
         "datetime_start": "2026-11-28T02:57:21.289728+00:00"},
    ]  # fmt: skip
    i = data.draw(st.integers(0, len(logs) - 1))
    lines = [json.dumps(log).encode() for log in logs]
    lines[i] = spoilt(data, logs[i]).replace(b"\n", b"")
    store = Store(tmp / "journals")
    store.write_file("tuning/x.journal", b"\n".join(lines))
    with suppress(*DAMAGE):
        optuna.create_study(
            study_name="x",
            storage=optuna.storages.JournalStorage(Journal(store, "tuning/x.journal")),
            load_if_exists=True,
        )


def a_data_file(data: st.DataObject, tmp: Path) -> None:
    x, y = np.arange(512, dtype=np.uint8).reshape(2, 16, 16), np.zeros(2, np.uint8)
    save = data.draw(st.sampled_from([np.savez, np.savez_compressed]))
    save(tmp / "x.npz", x_train=x, x_test=x, y_train=y, y_test=y)
    (tmp / "x.npz").write_bytes(damaged(data, (tmp / "x.npz").read_bytes()))
    with a_line(InputError):
        inspect_npz(str(tmp / "x.npz"))


def points(data: st.DataObject, tmp: Path) -> None:
    (tmp / "x.csv").write_bytes(damaged(data, b"n,e\n1,0.5\n2,0.25\n"))
    table = pa.table({"n": [1, 2], "e": [0.5, 0.25]})
    pa.parquet.write_table(table, tmp / "x.parquet")
    (tmp / "x.parquet").write_bytes(damaged(data, (tmp / "x.parquet").read_bytes()))
    for name in ("x.csv", "x.parquet"):
        with suppress(InputError):  # the command makes one line of it
            read_points(str(tmp / name), ["n", "e"])


READERS: dict[str, Callable[[st.DataObject, Path], None]] = {
    "plans": a_plan,
    "records": a_record,
    "journals": a_journal,
    "data files": a_data_file,
    "points": points,
}


@pytest.mark.parametrize(
    "n", [pytest.param(40, id="short"), pytest.param(5_000, id="long", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.timeout(3600)
def test_a_reader_ends_in_a_result_or_in_one_line(reader: str, n: int, tmp_path: Path) -> None:
    @settings(
        max_examples=n,
        deadline=None,
        database=None,
        derandomize=n < 1000,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        READERS[reader](data, tmp_path)

    run()
