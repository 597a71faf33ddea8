"""Test cores and GPUs: placement, the requests of trials, and the limits of a cluster."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import ray
from planned import batch, each_member
from ray.tune.search import Searcher

from jobs.execution import capacity
from jobs.execution.capacity import configured_most
from jobs.execution.queue import Queue
from jobs.execution.ray_trials import resource_request
from jobs.planning.batches import Batch, Slots, divide
from jobs.planning.placement import place, predicted
from scaling import engines
from scaling.data import datasets
from scaling.engines import population
from scaling.errors import InputError
from scaling.recipes.registry import find_recipe
from scaling.study import Grid, Job, Study, make_cell, make_members, resolve

INFO = datasets.describe("mnist")


def job(recipe: str = "1989", n_train: int = 1000, members: int = 20) -> Job:
    cell = make_cell(INFO, find_recipe(recipe), n_train=n_train)
    return Job(cell=cell, members=make_members(cell.recipe, range(members)), source="mnist")


def runs(jobs: tuple[Job, ...]) -> list[str]:
    return sorted(j.cell.run_id(m) for j in jobs for m in j.members)


def runs_of(batches: Sequence[Batch]) -> list[str]:
    return runs(tuple(planned.job for batch in batches for planned in batch.jobs))


def test_members_are_divided_so_that_cores_and_gpus_end_together() -> None:
    jobs = (job("1989"), job("ce"), job("modern"))

    def cpu(j: Job) -> float:
        return 10.0 * len(j.members)

    def gpu(j: Job) -> float:
        return (1.0 if j.cell.recipe.name == "ce" else 2.0) * len(j.members)

    def cost(j: Job, device: str) -> float:
        return gpu(j) if device == "cuda" else cpu(j)

    on_cpus, on_gpus = divide(jobs, cost, Slots(cpu=4, gpu=1))
    assert sorted(runs(on_cpus) + runs(on_gpus)) == runs(jobs)
    assert {j.cell.recipe.name for j in on_gpus} >= {"ce"}, "what gains most goes to the GPU"
    ends = sum(map(cpu, on_cpus)) / 4, sum(map(gpu, on_gpus)) / 1
    assert abs(ends[0] - ends[1]) <= 10 / 4 + 2, "a member's seconds apart at most"
    both = {j.cell for j in on_cpus} & {j.cell for j in on_gpus}
    assert len(both) <= 1


def test_without_one_kind_all_goes_to_the_other() -> None:
    jobs = (job("1989"), job("ce"))

    def cost(j: Job, device: str) -> float:  # noqa: ARG001
        return float(len(j.members))

    assert divide(jobs, cost, Slots(cpu=2)) == (jobs, ())
    assert divide(jobs, cost, Slots(gpu=2)) == ((), jobs)


def test_batches_know_their_device_and_its_share() -> None:
    jobs = (job("1989", members=64), job("muon", members=64))
    batches = place(jobs, Slots(cpu=2, gpu=1), cost=each_member(100.0, gpu=1.0))
    assert {b.device for b in batches} == {"cpu", "cuda"}
    assert runs_of(batches) == runs(jobs)
    assert all(b.share == 1 for b in batches if b.device == "cpu")
    on_gpu = [b for b in batches if b.device == "cuda"]
    assert all(0 < b.share <= 0.5 for b in on_gpu), "so few leave room on a GPU"
    for planned in (planned for b in batches for planned in b.jobs):
        n = len(planned.job.members)
        assert planned.engine == engines.choose(planned.job.cell, None, planned.device, n)
        assert planned.seconds == n * (1.0 if planned.device == "cuda" else 100.0)
    assert predicted(batches, Slots(cpu=2, gpu=1)).count(" time") == 2


def test_a_share_of_a_gpu_grows_with_the_members_up_to_all_of_it() -> None:
    cell = job().cell
    shares = [engines.gpu_share(cell, members) for members in (1, 16, 1000, 4096)]
    assert shares == sorted(shares)
    assert shares[0] == 0.125
    assert shares[-1] == 1
    assert population.gpu_utilization(replace(cell, width=8.0), 1000) > population.gpu_utilization(
        cell, 1000
    )


def test_each_kind_has_a_queue_of_its_own_the_longest_first() -> None:
    batches = [
        batch(9.0),
        batch(5.0),
        batch(1.0),
        batch(8.0, "cuda", 0.5),
        batch(7.0, "cuda", 0.5),
        batch(6.0, "cuda", 0.5),
    ]
    queue = Queue(batches, Slots(cpu=1, gpu=1))
    assert [queue.suggest(name) for name in "abcd"] == [
        {"batch": 0},
        {"batch": 3},
        {"batch": 4},
        None,
    ], "a core, two halves of a GPU, and then no room"
    queue.on_trial_complete("b", error=True)
    assert queue.suggest("e") == {"batch": 5}
    assert queue.suggest("f") is None, "no core is free, though no GPU trial is left"
    queue.on_trial_complete("a")
    assert queue.suggest("g") == {"batch": 1}
    queue.on_trial_complete("g")
    assert queue.suggest("h") == {"batch": 2}
    assert queue.suggest("i") is None, "one of those that run may be lost yet"
    for name in "ceh":
        queue.on_trial_complete(name)
    assert queue.suggest("j") == Searcher.FINISHED


def test_a_queue_that_was_ended_begins_nothing() -> None:
    queue = Queue([batch(1.0)], Slots(cpu=1))
    queue.ended = True
    assert queue.suggest("a") == Searcher.FINISHED


def test_a_trial_asks_for_a_core_or_for_a_part_of_a_gpu() -> None:
    assert resource_request("cpu").required_resources == {"CPU": 1}
    assert resource_request("cuda", 0.25).required_resources == {"GPU": 0.25}


def cluster_with(monkeypatch: pytest.MonkeyPatch, **resources: float) -> None:
    monkeypatch.setattr(ray, "cluster_resources", lambda: resources)


def test_what_a_cluster_cannot_do_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster_with(monkeypatch, CPU=4.0)
    with pytest.raises(InputError, match=r"4 CPUs and no GPU, and no autoscaler") as error:
        capacity.cluster_slots("cuda")
    assert "\n" not in str(error.value)
    assert capacity.cluster_slots("cpu") == capacity.cluster_slots("auto") == Slots(cpu=4)
    assert capacity.cluster_slots("cpu", cpus=3) == Slots(cpu=3)
    cluster_with(monkeypatch, memory=1.0)
    for device in ("cpu", "auto"):
        with pytest.raises(InputError, match="add a worker node"):
            capacity.cluster_slots(device)


def test_what_an_autoscaler_would_add_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster_with(monkeypatch, CPU=4.0)
    could = {"CPU": 64.0, "GPU": 2.0}
    assert capacity.cluster_slots("cuda", could=could) == Slots(gpu=2)
    assert capacity.cluster_slots("auto", could=could) == Slots(cpu=64, gpu=2)
    assert str(capacity.cluster_slots("auto", could=could)) == "64 CPUs and 2 GPUs"


def test_the_most_that_a_configuration_brings_up() -> None:
    kind = {"node_config": {}}
    config = {
        "max_workers": 10,
        "head_node_type": "head",
        "available_node_types": {
            "head": {**kind, "resources": {"CPU": 8}, "max_workers": 0},
            "cpu": {**kind, "resources": {"CPU": 16}, "max_workers": 4},
            "gpu": {**kind, "resources": {"CPU": 8, "GPU": 1}, "max_workers": 20},
        },
    }
    assert configured_most(config) == {"CPU": 4 * 16 + 10 * 8, "GPU": 10}


def test_a_gpu_that_is_not_there_is_not_replaced_in_silence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match="no GPU on this machine"):
        engines.resolve_device("cuda")
    monkeypatch.setenv("SCALING_FAKE_GPU", "1")
    engines._warn_once.cache_clear()
    assert engines.resolve_device("cuda") == "cpu"
    assert "SCALING_FAKE_GPU" in capsys.readouterr().err


def test_an_engine_that_has_no_gpu_is_refused_with_auto(
    tiny_npz: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from jobs.cli.main import main

    words = ["sweep", "quickstart", "--dataset", str(tiny_npz), "--n-train", "30", "--dry-run"]
    assert main([*words, "--device", "auto", "--engine", "compiled"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert main([*words, "--device", "auto"]) == 0


def test_resolving_leaves_nothing_large_for_the_driver(tiny_npz: Path) -> None:
    """A thousand cells are a few hundred kilobytes, data sets none of it."""
    import pickle

    grid = Grid(
        dataset=(str(tiny_npz),), n_train=tuple(range(10, 260)), recipe=("1989", "ce"), seeds=(0, 1)
    )
    jobs = resolve(Study(name="many", question="?", grids=(grid,)), datasets.find)
    batches = place(jobs, Slots(cpu=2), cost=lambda *_: 1.0)
    assert len(pickle.dumps(batches)) < 1500 * len(jobs)
