"""Test pretraining: the initial weights, in every engine, and their identity."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jobs.execution.worker import train_job
from jobs.planning.cost import plan_job
from scaling import engines
from scaling.data import datasets
from scaling.engines import Trained
from scaling.pretraining import load_pretrained, start_of
from scaling.recipes.registry import find_recipe
from scaling.store.store import Store
from scaling.study import Cell, Grid, Job, Start, Study, make_members, resolve

RECIPE = replace(find_recipe("1989"), epochs=1)
PROBE = replace(find_recipe("linear_probe"), epochs=1)
FIRST = Start(dataset="strokes", n_train=60, recipe=RECIPE)


def job_of(start: Start | None, recipe: object = RECIPE) -> Job:
    grid = Grid(
        dataset=("strokes",),
        n_train=(30,),
        n_test=(50,),
        recipe=(recipe,),
        seeds=(3,),
        start=start,  # type: ignore[arg-type]
    )
    (job,) = resolve(Study(name="t", question="", grids=(grid,)), datasets.find)
    return job


def trained(job: Job, engine: str) -> Trained:
    data = datasets.load(job.source, job.cell.n_train)
    start = start_of(job.cell, job.start_source)
    (result,) = engines.train(
        job.cell, job.members, data, engine=engine, epochs_evaluated=[1], start=start
    )
    assert isinstance(result, Trained)
    return result


def test_the_start_is_the_training_of_the_same_seed_on_the_other_data() -> None:
    job = job_of(FIRST)
    assert job.cell.start
    (member,) = make_members(RECIPE, [3])
    (alone,) = engines.train(
        job.cell.start, [member], datasets.load("strokes", 60), epochs_evaluated=[1]
    )
    assert isinstance(alone, Trained)
    found = load_pretrained(job.cell, job.start_source, job.members[0])
    assert all((found[name] == alone.weights[name]).all() for name in alone.weights)
    other = load_pretrained(job.cell, job.start_source, replace(job.members[0], seed=4))
    assert (found["h2_weight"] != other["h2_weight"]).any()


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_engines_begin_with_it(engine: str) -> None:
    """At a rate of nearly nothing the first training stays as it was."""
    still = replace(RECIPE, lr=1e-9)
    job = job_of(FIRST, still)
    first = load_pretrained(job.cell, job.start_source, job.members[0])
    tuned, scratch = trained(job, engine), trained(job_of(None, still), engine)
    for name, value in first.items():
        np.testing.assert_allclose(tuned.weights[name], value, atol=1e-6)
    assert np.abs(scratch.weights["h2_weight"] - first["h2_weight"]).max() > 1e-3


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_a_probe_leaves_all_but_the_outputs_as_they_were(engine: str) -> None:
    job = job_of(FIRST, PROBE)
    first = load_pretrained(job.cell, job.start_source, job.members[0])
    probe = trained(job, engine).weights
    same = {name: bool((probe[name] == first[name]).all()) for name in first}
    assert same == {name: not name.startswith("output") for name in first}


def test_where_it_began_is_in_its_identity() -> None:
    def run_id(start: Start | None) -> str:
        job = job_of(start)
        return job.cell.run_id(job.members[0])

    starts = [
        None,
        FIRST,
        replace(FIRST, n_train=61),
        replace(FIRST, recipe=replace(RECIPE, epochs=2)),
        replace(FIRST, recipe=replace(RECIPE, lr=0.02)),
        replace(FIRST, recipe="ce"),
    ]
    assert len(set(map(run_id, starts))) == len(starts)


def test_a_trial_trains_such_a_model_and_stores_it(tmp_path: Path) -> None:
    job = job_of(FIRST)
    run_id = job.cell.run_id(job.members[0])
    store = Store(str(tmp_path))
    reports: list[dict[str, object]] = []
    last = train_job(plan_job(job, "cpu"), store, "t", reports.append)
    assert last["finished"] == run_id
    assert last not in reports, "the caller sends it"
    assert store.state().finished == {run_id}


def test_a_cell_without_a_start_has_none() -> None:
    cell: Cell = job_of(None).cell
    assert start_of(cell, "") is None
