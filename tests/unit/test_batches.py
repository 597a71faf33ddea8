"""Test batches: every model once, the longest first, no core idle."""

from dataclasses import replace
from pathlib import Path

import pytest
from planned import each_member, on_cpu
from tiny import tiny

from jobs.execution import worker
from jobs.execution.inbox import finished_models as of_report
from jobs.planning.batches import make_batches, unfinished_jobs
from jobs.planning.cost import plan_job, predict_seconds
from jobs.studies import find_study
from scaling.data import datasets
from scaling.engines import compiled
from scaling.study import make_members, resolve


def test_batches_hold_every_model_once_and_the_longest_come_first(tiny_npz: Path) -> None:
    _, jobs = tiny(tiny_npz, n_train=(30, 60, 120, 240), seeds=tuple(range(7)))
    batches = make_batches(jobs, on_cpu(), slots=2)
    runs = [p.job.cell.run_id(m) for b in batches for p in b.jobs for m in p.job.members]
    assert sorted(runs) == sorted(j.cell.run_id(m) for j in jobs for m in j.members)
    predicted = [batch.seconds for batch in batches]
    assert predicted == sorted(predicted, reverse=True)
    assert len(batches) >= 4
    largest_model = max(plan_job(j, "cpu").seconds / len(j.members) for j in jobs)
    assert max(predicted) <= max(sum(predicted) / 8, largest_model) * 1.001


def test_long_models_are_batches_of_their_own() -> None:
    job = resolve(find_study("quickstart"), lambda _: ("mnist", datasets.describe("mnist")))[0]
    many = replace(job, members=make_members(job.cell.recipe, range(9)))
    batches = make_batches([many], on_cpu(each_member(100.0)), slots=2)
    assert [batch.n_models for batch in batches] == [1] * 9


def test_models_in_lock_step_stay_together_unless_slots_would_idle() -> None:
    (job, *_) = resolve(find_study("quickstart"), lambda _: ("mnist", datasets.describe("mnist")))
    many = replace(job, members=make_members(job.cell.recipe, range(40)))

    def sizes(slots: int, seconds: float = 10.0, together: int = 16) -> list[int]:
        batches = make_batches([many], on_cpu(each_member(seconds)), slots, lambda _: together)
        return [batch.n_models for batch in batches]

    assert sizes(slots=2) == sizes(slots=2, seconds=0.1) == [20, 20]  # 16 at least
    assert sizes(slots=8) == [5] * 8
    assert sizes(slots=1, seconds=0.1, together=1) == [10] * 4
    assert max(sizes(slots=2, together=1)) == 3  # 30 s at most


def test_what_is_stored_is_taken_out(tiny_npz: Path) -> None:
    _, jobs = tiny(tiny_npz)
    done = {jobs[0].cell.run_id(m) for m in jobs[0].members} | {
        jobs[1].cell.run_id(jobs[1].members[0])
    }
    left = unfinished_jobs(jobs, done)
    assert len(left) == 3
    assert [m.seed for m in left[0].members] == [1]


def test_progress_is_reported_now_and_then_and_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def reported() -> list[dict[str, object]]:
        reports: list[dict[str, object]] = []
        reporter = worker.ProgressReporter(reports.append, models=2)
        for seconds in (1.0, 2.0, 3.0):
            reporter.reached("a", seconds)
            reporter.reached("b", 2 * seconds)
        reporter.reached("a", 4.0, finished="a")
        assert reporter.last == {}
        reporter.reached("b", 8.0, finished="b")
        return [*reports, reporter.last]

    assert reported() == [{"seconds": 10.0, "finished": "a"}, {"seconds": 2.0, "finished": "b"}]
    monkeypatch.setattr(worker, "REPORT_S", 0.0)
    every = reported()
    assert len(every) == 8
    assert every[-1]["finished"] == "b", "the last is left to the caller, who sends it once"
    assert sum(float(str(report["seconds"])) for report in every) == 12.0


def test_models_that_finish_soon_after_a_report_wait_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that the driver is not flooded by a thousand workers."""
    now = [0.0]
    monkeypatch.setattr(worker.time, "monotonic", lambda: now[0])
    reports: list[dict[str, object]] = []
    reporter = worker.ProgressReporter(reports.append, models=5, every_s=10.0)
    for at, run_id in ((1.0, "a"), (9.0, "b"), (11.0, "c"), (12.0, "d")):
        now[0] = at
        reporter.reached(run_id, 1.0, finished=run_id)
    now[0] = 20.0
    reporter.reached("e", 0.5)
    assert reports == [
        {"seconds": 3.0, "finished": "c", "earlier": [{"finished": "a"}, {"finished": "b"}]}
    ]
    reporter.reached("e", 1.0, finished="e")
    assert reporter.last == {"seconds": 2.0, "finished": "e", "earlier": [{"finished": "d"}]}
    models = [model["finished"] for each in (*reports, reporter.last) for model in of_report(each)]
    assert models == list("abcde")


def test_a_job_is_planned_by_the_group_that_trains_it(tiny_npz: Path) -> None:
    """One model that learns from one example a step has another engine than two in lock-step."""
    _, (job, *_) = tiny(tiny_npz, width=(0.5,), seeds=(0, 1))  # the compiled engine cannot
    alone = replace(job, members=job.members[:1])
    assert [plan_job(each, "cpu").engine for each in (job, alone)] == ["population", "reference"]
    planned = plan_job(alone, "cpu")
    assert planned.seconds == predict_seconds(alone, "reference", "cpu")
    assert (planned.device, planned.fixed) == ("cpu", False)
    (batch,) = make_batches([job], on_cpu(each_member(0.0)), slots=1)
    assert [each.engine for each in batch.jobs] == ["population"]
    assert {each.engine for b in make_batches([job], on_cpu(), 2) for each in b.jobs} == {
        "reference"
    }


def test_a_node_without_numba_trains_by_the_next_best_unless_an_engine_was_asked_for(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (job, *_) = tiny(tiny_npz)
    planned, asked = plan_job(job, "cpu"), plan_job(job, "cpu", "compiled")
    assert worker.engine_here(planned) == worker.engine_here(asked) == "compiled"
    monkeypatch.setattr(compiled, "unavailable", lambda: "numba cannot be used: not today")
    assert worker.engine_here(planned) == "population"
    assert worker.engine_here(asked) == "compiled"  # which fails, and says why
