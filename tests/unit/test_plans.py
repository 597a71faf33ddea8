"""A planned cell and its members, read back from the JSON of a plan."""

import json
from typing import Any

import pytest

from jobs.studies import find_study, names
from scaling.data import datasets
from scaling.errors import InputError
from scaling.study import Job, cell_from_plan, members_from_plan, plan, resolve


def lookup(name: str) -> tuple[str, datasets.DatasetInfo]:
    return name, datasets.describe("mnist" if name == "auto" else name)


def planned(study: str) -> tuple[tuple[Job, ...], list[dict[str, Any]]]:
    jobs = resolve(find_study(study), lookup)
    return jobs, json.loads(json.dumps(plan(find_study(study), jobs, [0.0] * len(jobs))))["cells"]


@pytest.mark.parametrize("name", names())
def test_every_planned_cell_comes_back_as_it_was(name: str) -> None:
    jobs, cells = planned(name)
    for job, entry in zip(jobs, cells, strict=True):
        assert cell_from_plan(entry) == job.cell
        assert members_from_plan(job.cell, entry) == job.members


def test_a_plan_that_lacks_newer_fields_is_read_with_their_defaults() -> None:
    (job, *_), (entry, *_) = planned("quickstart")
    del entry["recipe"]["mixup"], entry["recipe"]["warmup"], entry["start"]
    assert cell_from_plan(entry) == job.cell


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["n_train"], 77, "gives the identity"),
        (["n_train"], "77", "n_train is '77', expected int"),
        (["n_train"], True, "expected int"),
        (["n_train"], 2**70, "expected int"),
        (["width"], float("nan"), "width is 'nan', expected float"),
        (["width"], 10**400, "expected float"),
        (["recipe"], [], "expected an object"),
        (["recipe", "loss"], "hinge", "expected one of mse, cross_entropy"),
        (["recipe", "loss"], ["mse"], "expected one of mse, cross_entropy"),
        (["recipe", "tricks"], [["relu"]], "expected tuple"),
        (["recipe", "tricks"], "relu", "expected tuple"),
        (["recipe", "later"], 1, "has later, which this version of the code lacks"),
        (["recipe", "activation"], "relu", "gives the identity"),
        (["start"], {"dataset": "mnist"}, "has no data_version"),
        (["cell_id"], None, "no cell_id"),
    ],
)
def test_a_forged_cell_is_refused_in_one_line(path: list[str], value: object, said: str) -> None:
    _, (entry, *_) = planned("quickstart")
    place = entry
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(InputError, match=said) as caught:
        cell_from_plan(entry)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("entry", [None, [], "x", {}, {"cell_id": "x"}])
def test_what_is_no_cell_is_refused(entry: Any) -> None:
    with pytest.raises(InputError):
        cell_from_plan(entry)


@pytest.mark.parametrize("members", [None, [], {}, [1], [{}], [{"seed": 0, "lr": 0.1}]])
def test_what_are_no_members_is_refused(members: object) -> None:
    (job, *_), (entry, *_) = planned("quickstart")
    with pytest.raises(InputError):
        members_from_plan(job.cell, {**entry, "members": members})
    entry["members"][0]["seed"] = 9
    with pytest.raises(InputError, match="gives the identity"):
        members_from_plan(job.cell, entry)
