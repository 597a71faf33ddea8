"""Test the section on predicted and measured cost, whatever part of them is known."""

import json
import re
from pathlib import Path

import pytest
from planned import batch
from simulated import fill_study

from analysis import load, report
from analysis.report.sections import cost
from jobs.execution.run_record import record_run
from jobs.planning.batches import Slots
from jobs.studies import find_study
from scaling.store.store import Store
from scaling.study import Cell

STUDY = find_study("data").override(n_train=(911, 1823))


def filled(out: Path) -> Store:
    """Store four cells of three models, predicted at a third of a second, measured at 1.5."""
    fill_study(out, STUDY, lambda _: 0.05, seeds=range(3))
    return Store(out)


def test_core_time_is_compared_by_engine_and_cell(tmp_path: Path) -> None:
    filled(tmp_path)
    data = cost.measure(load(tmp_path))
    assert data is not None
    assert (data["models"], data["runs"], len(data["cells"])) == (12, [], 4)
    assert data["predicted_s"] == pytest.approx(4.0)
    assert data["ratio"] == pytest.approx(12 * 1.5 / 4)
    (row,) = data["engines"]
    assert (row["engine"], row["device"], row["width"]) == ("compiled", "cpu", 1.0)
    assert row["cells"] == pytest.approx([4.5, 4.5])


def test_models_that_are_not_there_are_in_neither_sum(tmp_path: Path) -> None:
    def half(cell: Cell, seed: int) -> bool:
        return cell.n_train == 911 or seed == 0

    fill_study(tmp_path, STUDY, lambda _: 0.05, seeds=range(3), leave_out=half)
    data = cost.measure(load(tmp_path))
    assert data is not None
    assert data["models"] == 4
    assert data["predicted_s"] == pytest.approx(4 / 3)


def test_a_folder_that_knows_no_cost_has_no_such_part(tmp_path: Path) -> None:
    """Plans of tunings and older plans have no costs."""
    store = filled(tmp_path)
    plan = store.read_plans()["data"]
    for cell in plan["cells"]:
        del cell["predicted_s"]
    store.write_plan(plan)
    assert cost.measure(load(tmp_path)) is None
    with record_run(store, "data", [batch(60.0)], Slots(cpu=2), "cpu", "scaling sweep data"):
        pass
    data = cost.measure(load(tmp_path))
    assert data is not None
    assert (data["models"], data["ratio"], len(data["runs"])) == (0, None, 1)
    assert len(cost.show(data).tables) == 1


def test_a_sweep_that_was_stopped_has_no_end(tmp_path: Path) -> None:
    store = filled(tmp_path)
    batches = [batch(60.0)] * 4
    with record_run(store, "data", batches, Slots(cpu=2), "cpu", ""):
        pass
    with (
        pytest.raises(KeyboardInterrupt),
        record_run(store, "data", batches, Slots(cpu=2), "cpu", ""),
    ):
        raise KeyboardInterrupt
    numbers = report(tmp_path)
    done, stopped = numbers["planning"]["runs"]
    assert 120 < done["predicted_wall_s"] < 140
    assert done["ratio"] == pytest.approx(done["wall_s"] / done["predicted_wall_s"])
    assert (stopped["wall_s"], stopped["ratio"]) == (None, None)
    text = (tmp_path / "report.md").read_text()
    one = f"in {done['ratio']:.2f} times the predicted time"
    assert f"1 of 2 sweeps ended, {one}" in text
    assert "| data | 2 | 0 | 4 | 0 | 2." in text
    assert 'id="planning"' in (tmp_path / "report.html").read_text()
    (tmp_path / "runs" / "x.json").write_text(json.dumps({"study": "data"}))
    (unreadable,) = report(tmp_path)["torn"]
    assert re.search(r"x\.json cannot be read \(device is missing\)", unreadable)


def test_a_sweep_that_has_stored_nothing_yet_is_reported(tmp_path: Path) -> None:
    fill_study(tmp_path, STUDY, lambda _: 0.05, seeds=range(2), leave_out=lambda *_: True)
    with record_run(Store(tmp_path), STUDY.name, [batch(60.0)], Slots(cpu=2), "cpu", ""):
        numbers = report(tmp_path)
    assert numbers["models"] == 0
    assert [run["wall_s"] for run in numbers["planning"]["runs"]] == [None]
