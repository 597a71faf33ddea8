"""Test watching a study by its stored results: reading, messages and rates."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from planned import CELL, planned_cell
from terminals import NOT_UTF8, in_terminal

from jobs.cli import watch as watching
from jobs.cli.main import main
from jobs.cli.watch import Counter, pace, watch
from scaling.cell import as_plain
from scaling.store.files import Files
from scaling.store.store import State, Store, now

SHORT = {"n_test": 8, "recipe": {**as_plain(CELL)["recipe"], "epochs": 3}}
PLAN: dict[str, Any] = {
    "name": "tiny",
    "cells": [
        planned_cell("a", "a0", "a1", predicted_s=2.0, **SHORT),
        planned_cell("b", "b0", "b1", predicted_s=6.0, **SHORT),
    ],
}
TESTED = {"n_test": 8, "test_misses": 0}
BITS = {"n_test": 8, "correct": b"\xff", "predicted": bytes(8)}


def finish(store: Store, run_id: str, at: datetime | None = None) -> None:
    """As much of a model's rows as counting looks at."""
    row = {"run_id": run_id, "epoch": 3, "epochs": 3, "created_at": at or now(), **TESTED}
    store.write_model([row | {"epoch": 1}, row], {"run_id": run_id, **BITS})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = Store(tmp_path / "out")
    found.write_plan(PLAN)
    return found


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read."""
    names: list[str] = []
    read = Files.read

    def noting(self: Files, name: str) -> bytes | None:
        names.append(name)
        return read(self, name)

    monkeypatch.setattr(Files, "read", noting)
    return names


def test_each_look_reads_only_what_is_new(store: Store, opened: list[str]) -> None:
    counter = Counter(store)
    assert counter.look().finished == frozenset()
    finish(store, "a0")
    finish(store, "a1")
    assert counter.look().finished == {"a0", "a1"}
    opened.clear()
    finish(store, "b0")
    store.write_failure({"cell_id": "b", "run_id": "b1", "kind": "numeric", "error": "NaN"})
    state = counter.look()
    assert state == store.state()
    assert state.failed("b1")
    opened.clear()
    assert counter.look() == state
    assert opened == []
    (store.root / "metrics" / "a0.parquet").unlink()
    assert counter.look().finished == {"a1", "b0"}


def test_a_model_without_its_predictions_or_last_epoch_is_not_finished(store: Store) -> None:
    row = {"run_id": "a0", "epoch": 1, "epochs": 3, "created_at": now()}
    store.write_model([row], {"run_id": "a0", **BITS})
    finish(store, "a1")
    (store.root / "predictions" / "a1.parquet").unlink()
    assert Counter(store).look().finished == frozenset()


def test_the_pace_is_that_of_late_and_what_is_left_is_weighed_by_its_cost() -> None:
    at = now()
    when = {"a0": at - timedelta(days=1), "a1": at - timedelta(minutes=4), "b0": at}
    state = State(finished=frozenset(when), failures={}, corrupt=())
    found = pace(PLAN, state, when, at)
    assert (found.models, found.finished, found.failed) == (4, 3, 0)
    assert found.per_minute == pytest.approx(0.25)  # a1 starts the clock, b0 is one in 4 minutes
    assert found.left_s == pytest.approx(240)  # b1 costs what b0 did
    free = {**PLAN, "cells": [{**cell, "predicted_s": 0.0} for cell in PLAN["cells"]]}
    assert pace(free, state, when, at).left_s == pytest.approx(240)
    all_done = {**when, "b1": at}
    done = State(finished=frozenset(all_done), failures={}, corrupt=())
    assert pace(PLAN, done, all_done, at).ahead() == ""
    night = pace(PLAN, state, dict.fromkeys(when, at - timedelta(days=1)), at)
    assert night.per_minute is None
    assert night.ahead() == ""


def test_a_log_gets_a_line_for_each_change_and_it_ends_when_nothing_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path / "out")
    steps = iter(
        [
            lambda: store.write_plan(PLAN),
            lambda: finish(store, "a0"),
            lambda: None,
            lambda: (finish(store, "a1"), finish(store, "b0")),
            lambda: finish(store, "b1"),
        ]
    )
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        next(steps)()

    watch(store, wait=wait)
    lines = [line.partition("; ")[0::2] for line in capsys.readouterr().out.splitlines()]
    assert "no study is there yet" in lines[0][0]
    assert [
        (cells.partition(", ")[2], models.partition(";")[0]) for cells, models in lines[1:]
    ] == [
        ("0 finished, 0 failed, 2 missing", "0 of 4 models"),
        ("0 finished, 0 failed, 2 missing", "1 of 4 models"),
        ("1 finished, 0 failed, 1 missing", "3 of 4 models"),
        ("2 finished, 0 failed, 0 missing", "4 of 4 models"),
    ]
    assert "models a minute, about" in lines[3][1]
    assert min(waits) >= watching.EVERY_S


def test_as_json_it_is_an_object_a_line(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    for run_id in ("a0", "a1", "b0", "b1"):
        finish(store, run_id)
    assert main(["status", store.out, "--watch", "--json"]) == 0
    watched, status = map(json.loads, capsys.readouterr().out.splitlines())
    counts = {"cells": 2, "finished": 2, "failed": 0, "missing": 0}
    assert counts.items() <= watched.items()
    assert counts.items() <= status.items()
    assert (watched["study"], watched["models_finished"]) == ("tiny", 4)


def test_ctrl_c_is_how_one_leaves(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: Counter) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Counter, "look", interrupt)
    assert main(["status", store.out, "--watch"]) == 0


def watched(out: Path, as_json: bool = False, pause: float = 0.0) -> str:
    """Return code that watches two studies from before they are there until all is finished."""
    return f"""
import sys, time
from jobs.cli.terminal import printable
from jobs.cli.watch import watch
from scaling import progress
from scaling.store.store import Store, now
progress.REDRAWS_PER_S = 50.0
printable(sys.stdout, sys.stderr)
store = Store({str(out)!r})
def later():
    for name in ("tiny", "other"):
        store.write_plan({PLAN!r} | {{"name": name}})
    yield
    for run_id in ("a0", "a1", "b0", "b1"):
        row = {{"run_id": run_id, "epoch": 3, "epochs": 3, "created_at": now(), **{TESTED!r}}}
        store.write_model([row], {{"run_id": run_id, **{BITS!r}}})
        yield
steps = later()
watch(store, wait=lambda _: (time.sleep({pause}), next(steps)), as_json={as_json})
"""


@pytest.mark.parametrize("not_utf8", [False, True], ids=["utf-8", "ascii"])
def test_a_terminal_shows_a_bar_for_each_study(tmp_path: Path, not_utf8: bool) -> None:
    text = in_terminal(watched(tmp_path, pause=0.3), **(NOT_UTF8 if not_utf8 else {}))
    bar = ("-" if not_utf8 else "━") * 12
    assert "no study is there yet" in text
    assert "tiny: 2 cells, 1 finished, 0 failed, 1 missing" in text
    assert text.isascii() == not_utf8
    shown = re.sub("\x1b[^a-zA-Z]*[a-zA-Z]", "", text).split("\r\n")
    last = ": 2 cells, 2 finished, 0 failed, 0 missing; 4 of 4 models"
    assert [line.rpartition("\r")[2].rstrip() for line in shown[-3:]] == [
        *(f"{bar} {name}{last}" for name in ("other", "tiny")),
        "",
    ]


@pytest.mark.parametrize(
    ("as_json", "variables"),
    [(True, {}), (False, {"TERM": "dumb"}), (False, {"NO_COLOR": "1"})],
    ids=["json", "dumb", "no color"],
)
def test_a_terminal_gets_lines_where_no_codes_are_wanted(
    tmp_path: Path, as_json: bool, variables: dict[str, str]
) -> None:
    text = in_terminal(watched(tmp_path, as_json=as_json), **variables)
    lines = text.split("\r\n")
    assert "\x1b" not in text
    assert len(lines) == 2 + 2 * 5, "one line while there is none, then one for each change"
    assert [line.startswith("{") for line in lines[1:-1]] == [as_json] * 10
