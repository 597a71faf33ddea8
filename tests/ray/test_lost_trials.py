"""Test that a lost trial is named, given again, and ends in a failure row, on a real Ray."""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.core.generated.common_pb2 import ActorDiedErrorContext
from ray.exceptions import ActorDiedError, OutOfMemoryError
from ray.tune.search import Searcher
from tiny import tiny

from jobs.execution import ray_trials
from jobs.execution import sweep as sweeping
from jobs.execution.dispatch import Openings
from jobs.execution.losses import node_of, ran_out_of_memory
from jobs.execution.lost_trials import UNKNOWN, OutOfMemory, reason
from jobs.execution.ray_trials import resource_request, run_trials
from jobs.execution.silence import Limits
from jobs.execution.sweep import Options, sweep
from jobs.execution.trial_source import Lost, TrialSource, Worker
from scaling.store.store import State, Store


class Numbers(TrialSource):
    """Gives the numbers up to `count`."""

    def __init__(self, count: int, retries: int = 0) -> None:
        super().__init__(retries)
        self.left = list(range(count))

    def new(self) -> Any:
        return {"number": self.left.pop(0)} if self.left else Searcher.FINISHED


def run(
    source: TrialSource, trainable: Callable[..., None], out: Path, said: list[str]
) -> list[Lost]:
    lost: list[Lost] = []
    run_trials(
        trainable,
        source,
        max_concurrent=2,
        resources=lambda _: resource_request("cpu"),
        predicted=lambda _: 1.0,
        store=Store(out),
        say=said.append,
        limits=Limits(),
        store_lost=lost.extend,
    )
    return lost


@pytest.mark.usefixtures("local_ray")
def test_each_lost_trial_is_known_and_one_without_memory_is_tried_again_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trial 0 kills its worker before any report, 1 wants all memory, the others go on."""
    monkeypatch.setattr(ray_trials, "INFRASTRUCTURE_RETRIES", 1)
    running = tmp_path / "running"
    running.mkdir()

    def trainable(config: dict[str, Any], out: str, settings: dict[str, str]) -> None:  # noqa: ARG001
        me = running / str(config["number"])
        me.touch()
        try:
            if config["number"] == 0:
                me.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            if config["number"] == 1 and not config.get("alone"):
                raise MemoryError("too large beside others")
            time.sleep(0.3)
            if config.get("alone") and len(list(running.iterdir())) > 1:
                raise RuntimeError("it is not alone")
        finally:
            me.unlink(missing_ok=True)

    said: list[str] = []
    source = Numbers(6)
    ((config, error),) = run(source, trainable, tmp_path / "out", said)
    assert (config["number"], config["tries"]) == (0, 2)
    assert "Worker unexpectedly exits" in reason(error)
    assert sum("its worker died" in line for line in said) == 2
    assert any("MemoryError" in line and "again alone" in line for line in said)
    assert not source.running


def test_a_lost_trial_is_given_again_elsewhere_and_not_for_ever() -> None:
    source, died = Numbers(2, retries=1), ActorDiedError()
    first, second = source.suggest("a"), source.suggest("b")
    source.on_trial_complete("a", error=True)
    assert source.failed(first, died, "node") == "trained again"
    again = source.suggest("c")
    assert again == {"number": 0, "tries": 2, "avoid": "node"}
    source.on_trial_complete("c", error=True)
    assert source.failed(again, died, "other").startswith("given up")
    assert source.suggest("d") is None, "the second may be lost yet"
    source.on_trial_complete("b", error=True)
    assert source.failed(second, OutOfMemory("low"), "").startswith("trained again alone")
    assert source.suggest("e") == second | {"tries": 2, "avoid": "", "alone": True}
    source.on_trial_complete("e")
    assert source.suggest("f") == Searcher.FINISHED
    assert source.lost == [(again, died)]


def test_a_trial_that_waits_for_nodes_that_are_gone_keeps_no_other_from_starting() -> None:
    """It would wait for ever: Ray takes a request for "not node a" as one that may be met yet."""
    nodes, source = {"a", "b"}, Numbers(1, retries=2)
    openings = Openings(source, lambda _, node: bool(nodes - {node}))
    assert openings.suggest("1") == {"kind": (), "avoid": ""}
    del openings.waiting["1"]  # it has started
    config = source.suggest("1", Worker(node="a"))
    assert source.suggest("x", Worker(node="b")) is None  # now the source knows that none is left
    source.on_trial_complete("1", error=True)
    source.failed(config, ActorDiedError(), "a")
    assert openings.suggest("2") == {"kind": (), "avoid": "a"}
    assert openings.suggest("3") is None
    nodes.remove("b")
    assert openings.suggest("3") == {"kind": (), "avoid": ""}
    assert openings.suggest("4") is None


@pytest.mark.parametrize("name", ["_actor_task_failed", "_actor_start_failed"])
def test_an_error_that_tune_does_not_know_is_of_one_trial(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Ray's memory monitor raises one; Tune ended all trials for it, or forgot it."""
    heard: list[Exception] = []

    class Tracked:
        actor_id, _on_start = 0, None

        def _on_error(self, _: object, error: Exception) -> None:
            heard.append(error)

    tracked = Tracked()
    monkeypatch.setattr(RayActorManager, "_cleanup_actor", lambda *_, **__: None)
    manager = object.__new__(RayActorManager)
    manager._failed_actor_ids = set()
    task = type("Task", (), {"_tracked_actor": tracked, "_on_error": None})()
    key = "tracked_actor" if "start" in name else "tracked_actor_task"
    given = {key: tracked if "start" in name else task}
    getattr(manager, name)(**given, exception=OutOfMemoryError("the node runs low on memory"))
    assert ran_out_of_memory(heard[0])
    assert reason(heard[0]) == "the node runs low on memory"


NODE = "ab" * 28


def died(message: str) -> ActorDiedError:
    context = ActorDiedErrorContext(
        error_message=message,
        actor_id=bytes(16),
        class_name="ImplicitFunc",
        node_ip_address="192.0.2.2",
    )
    return ActorDiedError(context)


@pytest.mark.parametrize(
    ("error", "said", "node"),
    [
        (
            OutOfMemory(
                "1 worker(s) were killed due to the node running low on memory. Memory on the node"
                f" (IP: 192.0.2.2, ID: {NODE}) was 7.25GB used / 23.54GB limit (0.308098) OOM kill"
                " reason: Memory usage exceeded threshold of 0B. To adjust the kill threshold, set"
            ),
            "1 worker(s) were killed due to the node running low on memory. Memory on the node"
            " (IP: 192.0.2.2) was 7.25GB used / 23.54GB limit (0.308098)",
            NODE,
        ),
        (
            died(f"The actor died because its node has died. Node Id: {NODE} It was terminated."),
            "its worker died (its node has died. It was terminated.)",
            NODE,
        ),
        (
            died(
                "The actor is dead because its worker process has died. Worker exit type:"
                " SYSTEM_ERROR Worker exit detail: Worker exits by SIGKILL. Some common causes: 1."
            ),
            "its worker died (Worker exits by SIGKILL.)",
            "",
        ),
        (
            ActorDiedError(),
            "its worker died (The actor died unexpectedly before finishing this task.)",
            "",
        ),
    ],
)
def test_why_and_where_a_trial_was_lost_is_told_in_a_line(
    error: Exception, said: str, node: str
) -> None:
    assert (reason(error), node_of(error)) == (said, node)


LOCAL = Options(address="local", cpus=2)


def swept(
    monkeypatch: pytest.MonkeyPatch,
    trainable: Callable[..., None],
    tiny_npz: Path,
    out: Path,
    options: Options = LOCAL,
) -> State:
    monkeypatch.setattr(sweeping, "train_batch", trainable)
    study, jobs = tiny(tiny_npz, n_train=(30,), recipe=("1989",))
    return sweep(study, jobs, Store(out), options, lambda _: None)


@pytest.mark.usefixtures("local_ray")
def test_no_model_is_missing_without_a_reason(
    tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trainable(
        config: Any, out: str, settings: Any, jobs: Any, study: str, every_s: float
    ) -> None:
        """Store nothing, and end as if all were well."""

    state = swept(monkeypatch, trainable, tiny_npz, tmp_path)
    assert not state.finished
    assert {row["error"] for row in state.failures.values()} == {UNKNOWN}
    assert len(state.failures) == 2


@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize(
    "how", [pytest.param("it sleeps", marks=pytest.mark.slow), "it is stopped"]
)
def test_a_silent_trial_is_named_then_killed_and_trained_again(
    tiny_npz: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    how: str,
) -> None:
    real, marker = sweeping.train_batch, tmp_path / "silent-once"
    stops = how == "it is stopped"

    def trainable(config: Any, **rest: Any) -> None:
        try:
            marker.touch(exist_ok=False)
        except FileExistsError:
            real(config, **rest)
            return
        if stops:
            os.kill(os.getpid(), signal.SIGSTOP)
        threading.Event().wait()

    # The limit must not end a worker that only starts slowly: training counts from its first line.
    limits = Limits(named_s=4.0, times=0.0, killed=2.0)
    state = swept(monkeypatch, trainable, tiny_npz, tmp_path / "out", replace(LOCAL, limits=limits))
    assert len(state.finished) == 2, state.failures
    said = capsys.readouterr().err
    assert "a trial reports nothing for" in said
    assert "it reported nothing for" in said
    assert "was killed; it is trained again" in said
