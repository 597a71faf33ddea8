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
    """A trial in its worker, which Ray's own table of actors places."""

    config: dict[str, Any]
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
        self._measured, self._expected = 0.0, 0.0
        self._looked = time.monotonic()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        actor = trial.temporary_state.ray_actor
        self._running[trial.trial_id] = _Running(dict(trial.config), actor)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any
    ) -> None:
        if each := self._running.get(trial.trial_id):
            each.heard, each.named = time.monotonic(), False

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        if each := self._running.pop(trial.trial_id, None):
            self._measured += time.monotonic() - each.began
            self._expected += self._predicted(each.config)

    def on_step_end(self, iteration: int, trials: list[Any], **_: Any) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        for each in self._running.values():
            self._hear(each, now)
        self._look_at_waiting(trials, now)

    def forget(self, trial_id: str) -> tuple[str, str | None]:
        """Return the node of a lost trial, if known, and why we killed it, if we did."""
        each = self._running.pop(trial_id, None)
        if each is None:
            return "", None
        node = _place(each.actor)[0]
        silent = duration(time.monotonic() - each.heard)
        return node, f"it reported nothing for {silent} and was killed" if each.killed else None

    def _hear(self, each: _Running, now: float) -> None:
        """Name a trial that is silent for too long, and kill it later."""
        pace = self._measured / self._expected if self._expected else 1.0
        limit = max(self._limits.named_s, self._limits.times * pace * self._predicted(each.config))
        silent, last = now - each.heard, limit * self._limits.killed
        if silent >= limit and not each.named:
            each.named = True
            node, pid = _place(each.actor)
            self._say(
                f"a trial reports nothing for {duration(silent)} (process {pid} on node"
                f" {node[:8]}): it is waited for until {duration(last)}, then killed and trained"
                " again"
            )
        if silent >= last and not each.killed:
            each.killed = True
            ray.kill(each.actor)  # by force after 5 s (measured), where the process is stopped

    def _look_at_waiting(self, trials: list[Any], now: float) -> None:
        """Name, once, a trial for which Ray has found no worker."""
        waiting = {trial.trial_id for trial in trials if trial.status == Trial.PENDING}
        self._asked = {name: self._asked.get(name, now) for name in waiting}
        for name, since in self._asked.items():
            if self._limits.named_s <= now - since < float("inf"):
                self._asked[name] = float("inf")  # told
                self._say(
                    f"a trial has waited {duration(now - since)} for a worker: Ray finds no free"
                    " place for it, or cannot start one; it is waited for"
                )


def _place(actor: Any) -> tuple[str, int]:
    """Return the node and the process of an actor, as Ray's head knows them."""
    with suppress(RayError, RuntimeError, KeyError):
        found = actors(actor._actor_id.hex())
        return found["Address"]["NodeID"], found["Pid"]
    return "", 0
