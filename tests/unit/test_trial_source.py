"""Test what a source gives to workers that ask again and again. No Ray."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planned import batch

from jobs.execution.queue import Queue
from jobs.execution.trial_source import FINISHED, Opening, TrialSource, Worker
from jobs.planning.batches import Slots

CPU, HALF = ("cpu", 1.0), ("cuda", 0.5)
DIED = RuntimeError("it died")


def on(node: str, kind: Hashable = CPU) -> Worker:
    return Worker(kind=kind, node=node)


def used(worker: Worker) -> Worker:
    return replace(worker, fresh=False)


def queue(*seconds: float, cpus: int = 2) -> Queue:
    made = Queue([batch(each) for each in seconds], Slots(cpu=cpus))
    made.retries = 3
    return made


def lose(source: TrialSource, trial: str, node: str, error: BaseException = DIED) -> None:
    config = source.running[trial]
    source.on_trial_complete(trial, error=True)
    source.failed(config, error, node)


def numbers(source: TrialSource, trial: str, worker: Worker) -> list[int]:
    """Let a worker train until it is to end; return the numbers of its batches."""
    found = []
    while isinstance(config := source.suggest(trial, worker), dict):
        found.append(config["batch"])
        worker = used(worker)
        source.on_trial_complete(trial)
    return found


def test_one_worker_trains_all_the_longest_first() -> None:
    source = queue(3.0, 2.0, 1.0)
    assert not source.finished
    assert numbers(source, "a", on("here")) == [0, 1, 2]
    assert source.finished
    assert source.suggest("b", on("here")) == FINISHED
    assert source.opening([]) is None


def test_a_worker_gets_what_it_has_requested_and_no_other() -> None:
    batches = [batch(9.0), batch(5.0), batch(8.0, "cuda", 0.5), batch(7.0, "cuda", 1.0)]
    source = Queue(batches, Slots(cpu=1, gpu=1))
    assert numbers(source, "a", on("n", HALF)) == [2]
    assert source.opening([]) == Opening(kind=CPU)
    assert source.opening([CPU]) == Opening(kind=("cuda", 1.0)), "a core waits: no room for two"
    assert source.opening([CPU, ("cuda", 1.0)]) is None
    assert numbers(source, "b", on("n")) == [0, 1]
    assert not source.finished
    assert numbers(source, "c", on("n", ("cuda", 1.0))) == [3]
    assert source.finished


def test_as_many_workers_are_started_as_have_room_and_something_to_do() -> None:
    source, waiting = queue(*[1.0] * 9, cpus=3), list[Hashable]()
    while opening := source.opening(waiting):
        waiting.append(opening.kind)
    assert waiting == [CPU] * 3
    assert source.suggest("a", on("n")) == {"batch": 0}
    assert source.opening([CPU, CPU]) is None, "one trains and two wait"
    few = queue(1.0, cpus=3)
    assert few.opening([CPU]) is None, "nothing is left for a second"


def test_what_is_lost_is_trained_by_a_worker_elsewhere_as_soon_as_one_asks() -> None:
    source = queue(*[1.0] * 6)
    assert source.suggest("a", on("bad")) == {"batch": 0}
    assert source.suggest("b", on("good")) == {"batch": 1}
    lose(source, "a", "bad")
    assert source.opening([]) == Opening(kind=CPU), "anywhere: the place of the lost one is free"
    assert source.suggest("c", on("bad")) == {"batch": 2}
    source.on_trial_complete("b")
    again = source.suggest("b", used(on("good")))
    assert again == {"batch": 0, "tries": 2, "avoid": "bad"}


def test_where_nothing_else_is_left_a_worker_is_started_elsewhere_for_it() -> None:
    source = queue(1.0, 1.0)
    source.suggest("a", on("bad"))
    source.suggest("b", on("good"))
    lose(source, "a", "bad")
    assert source.opening([]) == Opening(kind=CPU, avoid="bad")
    assert source.opening([CPU]) is None
    assert source.suggest("c", on("bad")) is None, "the other will ask for it"
    assert not source.finished
    source.on_trial_complete("b")
    assert numbers(source, "b", used(on("good"))) == [0]
    assert source.finished


@pytest.mark.parametrize("others_end", [False, True])
def test_on_a_single_node_it_is_trained_there(others_end: bool) -> None:
    source = queue(1.0, 1.0, cpus=3)
    source.suggest("a", on("only"))
    source.suggest("b", on("other" if others_end else "only"))
    lose(source, "a", "only")
    if others_end:
        lose(source, "b", "other")
    found = numbers(source, "c", on("only"))
    assert sorted(found) == ([0, 1] if others_end else [0])


def test_nobody_waits_for_a_worker_that_was_told_to_end() -> None:
    source = queue(1.0)
    source.suggest("a", on("bad"))
    assert source.suggest("b", on("good")) is None
    lose(source, "a", "bad")
    assert numbers(source, "c", on("bad")) == [0]


def test_what_ran_out_of_memory_waits_for_a_fresh_worker_and_runs_alone() -> None:
    source = queue(2.0, 1.0)
    source.suggest("a", on("n"))
    source.suggest("b", on("n"))
    lose(source, "a", "n", MemoryError())
    assert source.opening([]) is None, "another still trains"
    source.on_trial_complete("b")
    assert source.suggest("b", used(on("n"))) is None, "its process has memory of before"
    assert source.opening([]) == Opening(kind=CPU, avoid="n")
    assert source.suggest("c", on("n")) == {"batch": 0, "tries": 2, "avoid": "n", "alone": True}
    assert source.suggest("d", on("n")) is None
    assert source.opening([]) is None
    source.on_trial_complete("c")
    assert source.finished


def test_a_source_that_is_ended_begins_nothing_and_keeps_what_was_lost() -> None:
    source = queue(1.0, 1.0, 1.0)
    source.suggest("a", on("n"))
    source.suggest("b", on("n"))
    lose(source, "a", "n")
    source.ended = True
    assert source.opening([]) is None
    assert source.suggest("c", on("n")) == FINISHED
    assert not source.finished, "one trains to its end"
    assert [config["batch"] for config, _ in source.unfinished(DIED)] == [0, 1]
    source.on_trial_complete("b")
    assert source.finished


class Unknown(TrialSource):
    """Does not know how many are left before it is asked."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.left = list(range(count))

    def new(self) -> Any:
        return {"number": self.left.pop(0)} if self.left else FINISHED


def asked(source: TrialSource, trials: Sequence[str]) -> list[Any]:
    return [source.suggest(trial, Worker()) for trial in trials]


def test_a_source_that_does_not_know_how_many_are_left_ends_too() -> None:
    source = Unknown(1)
    assert source.opening([()]) == Opening()
    assert asked(source, "ab") == [{"number": 0}, None]
    assert source.opening([]) is None
    source.on_trial_complete("a")
    assert asked(source, "a") == [FINISHED]
    assert source.finished


NODES = {"a": 2, "b": 1, "c": 1}  # slots


class World:
    """Start, stop and lose workers on nodes in an order of chance, as Tune and Ray might."""

    def __init__(self, source: Queue, losses: int, random: Random) -> None:
        self.source, self.losses, self.random = source, losses, random
        self.waiting: dict[str, Opening] = {}
        self.workers: dict[str, Worker] = {}
        self.started = 0
        self.trained: list[int] = []

    def step(self) -> None:
        while opening := self.source.opening([each.kind for each in self.waiting.values()]):
            if len(self.waiting) + len(self.workers) >= sum(NODES.values()):
                break
            self.started += 1
            self.waiting[str(self.started)] = opening
        can = [*((self.end, trial) for trial in self.workers), *self.places()]
        if self.losses:
            can += [(self.lose, trial) for trial in self.workers]
        what, trial = self.random.choice(can)
        what(trial)

    def places(self) -> list[Any]:
        used = Counter(worker.node for worker in self.workers.values())
        free = [node for node, slots in NODES.items() if used[node] < slots]
        return [
            (partial(self.start, node), trial)
            for trial, opening in self.waiting.items()
            for node in free
            if node != opening.avoid
        ]

    def start(self, node: str, trial: str) -> None:
        self.workers[trial] = on(node, self.waiting.pop(trial).kind)
        self.ask(trial)

    def end(self, trial: str) -> None:
        self.trained.append(self.source.running[trial]["batch"])
        self.source.on_trial_complete(trial)
        self.workers[trial] = used(self.workers[trial])
        self.ask(trial)

    def ask(self, trial: str) -> None:
        if not isinstance(self.source.suggest(trial, self.workers[trial]), dict):
            del self.workers[trial]

    def lose(self, trial: str) -> None:
        self.losses -= 1
        error = self.random.choice([DIED, MemoryError()])
        lose(self.source, trial, self.workers.pop(trial).node, error)


@settings(max_examples=300)
@given(st.integers(0, 30), st.integers(0, 12), st.randoms(use_true_random=False))
def test_whatever_is_lost_every_batch_is_trained_once_or_given_up(
    batches: int, losses: int, random: Random
) -> None:
    source = queue(*[1.0] * batches, cpus=4)
    world, steps = World(source, losses, random), 0
    while not source.finished:
        world.step()
        steps += 1
        assert steps < 10 * (batches + losses) + 40, "it goes round in circles"
    given_up = [config["batch"] for config, _ in source.lost]
    assert sorted([*world.trained, *given_up]) == list(range(batches))
    assert world.started <= 4 + 2 * (losses - world.losses) + 4, "as many as slots, and for losses"
