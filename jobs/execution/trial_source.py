"""Decide what each worker trains next, and what becomes of what was lost. No Ray and no clock."""

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.execution.losses import ran_out_of_memory

Lost = tuple[dict[str, Any], BaseException]
FINISHED = "FINISHED"  # Tune's own word for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """The process of a trial, which trains one configuration after another.

    `kind`: what the trial requested of its node; `fresh`: it has trained nothing yet.
    """

    kind: Hashable = ()
    node: str = ""
    fresh: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A worker to start: its kind, and the node on which it should not be, if any."""

    kind: Hashable = ()
    avoid: str = ""


class TrialSource(ABC):
    """Give workers what they train. The results folder is all the state, so none is saved.

    What a lost worker was training is given again, up to `retries` times, with the address of its
    node as `avoid`: to a worker elsewhere, if there is one. What ran out of memory waits until
    nothing else is left, and is trained alone, by a worker that has trained nothing before.
    """

    def __init__(self, retries: int = 0) -> None:
        self.retries = retries
        self.ended = False  # True: begin nothing more
        self.running: dict[str, dict[str, Any]] = {}  # configurations by trial_id
        self._workers: dict[str, Worker] = {}  # those that will ask again, by trial_id
        self._given_up, self._again, self._alone = list[Lost](), list[Lost](), list[Lost]()
        self._all_given = False

    @abstractmethod
    def new(self) -> Any:
        """Return a configuration that was not given yet.

        None while none can begin, FINISHED once none is left.
        """

    def new_of(self, kind: Hashable) -> Any:
        """Return the same for a worker of this kind."""
        return self.new()

    def kind(self, config: dict[str, Any]) -> Hashable:
        """Return the kind of the workers that can train a configuration."""
        return ()

    def remaining(self) -> Mapping[Hashable, float]:
        """Return how many configurations were not given yet, by kind; infinity where unknown."""
        return {} if self._all_given else {(): math.inf}

    def fits(self, config: dict[str, Any]) -> bool:
        """Tell whether a lost configuration can begin now."""
        return True

    def has_room(self, kind: Hashable, waiting: Sequence[Hashable]) -> bool:
        """Tell whether one more worker has room beside those that wait for their start."""
        return True

    def began(self, config: dict[str, Any]) -> None:  # noqa: B027  may do nothing
        """Note that the training of a configuration begins."""

    def ended_trial(self, config: dict[str, Any]) -> None:  # noqa: B027  may do nothing
        """Note that the training of a configuration ended, also if it is given again."""

    def settled(self, config: dict[str, Any]) -> None:  # noqa: B027  may do nothing
        """Note that this configuration is not given again."""

    @property
    def lost(self) -> list[Lost]:
        """Return the configurations that were not trained, with their last errors."""
        return [*self._given_up, *self._again, *self._alone]

    @property
    def finished(self) -> bool:
        """Tell whether nothing is being trained and nothing is left."""
        more = self._again or self._alone or any(self.remaining().values())
        return not self.running and (self.ended or not more)

    def unfinished(self, error: BaseException) -> list[Lost]:
        """Return what was lost, with what was being trained when this error ended all trials."""
        return [*self.lost, *((config, error) for config in self.running.values())]

    def opening(self, waiting: Sequence[Hashable]) -> Opening | None:
        """Return a worker to start beside those of these kinds that wait for their start.

        None while no more workers are of use.
        """
        if self.ended or self._runs_alone():
            return None
        left, wanted = self.remaining(), Counter[Hashable](waiting)
        for config, _ in self._again:
            kind, avoid = self.kind(config), config.get("avoid", "")
            if left.get(kind) and self._other_nodes(kind, avoid):
                continue  # a worker there will ask for it
            wanted[kind] -= 1
            if wanted[kind] < 0 and self.has_room(kind, waiting):
                return Opening(kind=kind, avoid=avoid)
        for kind, number in left.items():
            if number > wanted[kind] and self.has_room(kind, waiting):
                return Opening(kind=kind)
        if self._alone and not (self.running or self._again or waiting or any(left.values())):
            config, _ = self._alone[0]
            return Opening(kind=self.kind(config), avoid=config.get("avoid", ""))
        return None

    def suggest(self, trial_id: str, worker: Worker | None = None) -> Any:
        """Return the next configuration of a trial; None or FINISHED where it is to end.

        None: what is being trained may be lost yet, and is given to a later trial then. Without a
        `worker`, the trial is one that can be started anywhere, for anything.
        """
        if worker:
            self._workers[trial_id] = worker
        config = self._next(worker)
        if isinstance(config, dict):
            self.running[trial_id] = config
            self.began(config)
        else:
            self._workers.pop(trial_id, None)
        return config

    def _next(self, worker: Worker | None) -> Any:
        if self.ended:
            return FINISHED
        if self._runs_alone():
            return None
        for place, (config, _) in enumerate(self._again):
            if self.fits(config) and self._suits(config, worker):
                return self._again.pop(place)[0]
        config = self.new_of(worker.kind) if worker else self.new()
        if config != FINISHED:
            return config
        self._all_given = True
        if self.running or self._again:  # a running one may be lost yet
            return None
        if not self._alone:
            return FINISHED
        return self._alone.pop(0)[0] if worker is None or worker.fresh else None

    def _runs_alone(self) -> bool:
        return any(config.get("alone") for config in self.running.values())

    def _suits(self, config: dict[str, Any], worker: Worker | None) -> bool:
        """Tell whether a worker may train what was lost: elsewhere, or where no other is."""
        if worker is None:
            return True
        kind, avoid = self.kind(config), config.get("avoid")
        if kind != worker.kind:
            return False
        return not avoid or worker.node != avoid or not self._other_nodes(kind, avoid)

    def _other_nodes(self, kind: Hashable, avoid: str) -> bool:
        """Tell whether a worker of this kind on another node will ask again."""
        return any(each.kind == kind and each.node != avoid for each in self._workers.values())

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Free the place of a trial. After an error, `failed` follows, which knows the error."""
        config = self.running.pop(trial_id)
        self.ended_trial(config)
        if error:
            self._workers.pop(trial_id, None)
        else:
            self.settled(config)

    def failed(self, config: dict[str, Any], error: BaseException, node: str) -> str:
        """Give a configuration again, or give it up; return what becomes of it, in words."""
        tries = config.get("tries", 1)
        if tries > self.retries or self.ended:
            self._given_up.append((config, error))
            self.settled(config)
            return "given up" + (f" after {tries} tries" if tries > 1 else "")
        again = config | {"tries": tries + 1, "avoid": node}
        if ran_out_of_memory(error):
            self._alone.append((again | {"alone": True}, error))
            return "trained again alone, after all others"
        self._again.append((again, error))
        return "trained again"
