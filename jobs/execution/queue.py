"""Choose the batch that a free core or GPU trains next: of its own kind, the longest left."""

from collections.abc import Sequence
from typing import Any

from ray.tune.search import Searcher

from jobs.execution.ray_trials import TrialSource
from jobs.planning.batches import Batch, Slots


class Queue(TrialSource):
    """Give Tune batches, in place of its own search algorithm.

    Tune's own grid knows one number of trials at once for all kinds: where a study uses both
    cores and GPUs, trials that wait for one would keep the other idle.
    """

    def __init__(self, batches: Sequence[Batch], slots: Slots) -> None:
        super().__init__()
        self._room = {"cpu": float(slots.cpu), "cuda": float(slots.gpu)}
        self._batches = batches
        self._left = {
            device: [i for i, batch in enumerate(batches) if batch.device == device]
            for device in self._room
        }
        self._running: dict[str, Batch] = {}

    def suggest(self, trial_id: str) -> Any:
        """Return the number of the next batch; None while no slot of its kind is free."""
        if self.ended:
            return Searcher.FINISHED
        for device, numbers in self._left.items():
            if numbers and self._batches[numbers[0]].share <= self._room[device] + 1e-9:
                number = numbers.pop(0)
                self._running[trial_id] = self._batches[number]
                self._room[device] -= self._batches[number].share
                return {"batch": number}
        return None if any(self._left.values()) else Searcher.FINISHED

    def on_trial_complete(self, trial_id: str, *_: Any, **__: Any) -> None:
        """Free the trial's slot, also after an error: the rows tell whether models are missing."""
        batch = self._running.pop(trial_id)
        self._room[batch.device] += batch.share
