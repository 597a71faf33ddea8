"""Name trials that report nothing, and kill those that stay silent, so that they run elsewhere."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import ray
from ray import tune
from ray._private.state import actors
from ray.exceptions import RayError
from ray.tune.experiment import Trial

from scaling.progress import duration

LOOK_S = 1.0  # assumed: between two looks at all trials


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a silent trial is named, and when it is killed.

    Units: seconds. `times`: of its predicted time, as far as that is longer. `killed`: times that.
    All are assumed: a compilation on a busy node may take the first minutes of a trial.
    """

    named_s: float = 60.0
    times: float = 5.0
    killed: float = 3.0


@dataclass(slots=True)
class _Running:
    """What a worker trains, which Ray's own table of actors places; None while it ends."""

    config: dict[str, Any] | None
    actor: Any
    began: float = field(default_factory=lambda: time.monotonic())
    heard: float = field(default_factory=lambda: time.monotonic())
    named: bool = False
    killed: bool = False


class Watch(tune.Callback):
    """Hear all trials; `predicted` returns the predicted seconds of one by its configuration."""

    def __init__(
        self,
        predicted: Callable[[dict[str, Any]], float],
        say: Callable[[str], None],
        limits: Limits,
    ) -> None:
        self._predicted, self._say, self._limits = predicted, say, limits
        self._running: dict[str, _Running] = {}
        self._asked: dict[str, float] = {}  # since when a trial waits for a worker
        self._told_waiting = False
        self._measured, self._expected = 0.0, 0.0
        self._looked = time.monotonic()

    def began(self, trial_id: str, actor: Any, config: dict[str, Any] | None) -> None:
        """Note that a worker has something to train, or nothing more."""
        self._running[trial_id] = _Running(config, actor)

    def ended(self, trial_id: str) -> None:
        """Note that a worker has trained what it had."""
        each = self._running[trial_id]
        self._measured += time.monotonic() - each.began
        self._expected += self._seconds(each)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any
    ) -> None:
        if each := self._running.get(trial.trial_id):
            each.heard, each.named = time.monotonic(), False

    def on_step_end(self, iteration: int, trials: list[Any], **_: Any) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        for each in self._running.values():
            self._hear(each, now)
        self._look_at_waiting(trials, now)

    def forget(self, trial_id: str) -> str | None:
        """Drop a trial; return why we killed it, if we did."""
        each = self._running.pop(trial_id, None)
        if each is None or not each.killed:
            return None
        return f"it reported nothing for {duration(time.monotonic() - each.heard)} and was killed"

    def _seconds(self, each: _Running) -> float:
        return self._predicted(each.config) if each.config else 0.0

    def _hear(self, each: _Running, now: float) -> None:
        """Name a trial that is silent for too long, and kill it later."""
        pace = self._measured / self._expected if self._expected else 1.0
        limit = max(self._limits.named_s, self._limits.times * pace * self._seconds(each))
        silent, last = now - each.heard, limit * self._limits.killed
        if silent >= limit and not each.named:
            each.named = True
            node, pid = place_of(each.actor)
            self._say(
                f"a trial reports nothing for {duration(silent)} (process {pid} on node"
                f" {node[:8]}): it is waited for until {duration(last)}, then killed and trained"
                " again"
            )
        if silent >= last and not each.killed:
            each.killed = True
            ray.kill(each.actor)  # by force after 5 s (measured), where the process is stopped

    def _look_at_waiting(self, trials: list[Any], now: float) -> None:
        """Name, once, the trials for which Ray has found no worker."""
        waiting = {trial.trial_id for trial in trials if trial.status == Trial.PENDING}
        self._asked = {name: self._asked.get(name, now) for name in waiting}
        longest = now - min(self._asked.values(), default=now)
        if longest < self._limits.named_s:
            self._told_waiting = False
        elif not self._told_waiting:
            self._told_waiting = True
            self._say(
                f"a trial has waited {duration(longest)} for a worker: Ray finds no free"
                " place for it, or cannot start one; it is waited for"
            )


def place_of(actor: Any) -> tuple[str, int]:
    """Return the node and the process of an actor, as Ray's head knows them."""
    with suppress(RayError, RuntimeError, KeyError):
        found = actors(actor._actor_id.hex())
        return found["Address"]["NodeID"], found["Pid"]
    return "", 0
