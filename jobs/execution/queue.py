"""Choose the batch that a free core or GPU trains next: of its own kind, the longest left."""

from collections.abc import Sequence
from typing import Any

from ray.tune.search import Searcher

from jobs.execution.trial_source import TrialSource
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

    def new(self) -> Any:
        """Return the number of the next batch; None while no slot of its kind is free."""
        for numbers in self._left.values():
            if numbers and self.fits({"batch": numbers[0]}):
                return {"batch": numbers.pop(0)}
        return None if any(self._left.values()) else Searcher.FINISHED

    def fits(self, config: dict[str, Any]) -> bool:
        """Tell whether the slots that a batch needs are free."""
        batch = self._batches[config["batch"]]
        return bool(batch.share <= self._room[batch.device] + 1e-9)

    def began(self, config: dict[str, Any]) -> None:
        """Take the slots of a batch."""
        batch = self._batches[config["batch"]]
        self._room[batch.device] -= batch.share

    def ended_trial(self, config: dict[str, Any]) -> None:
        """Free the slots of a batch, also after an error."""
        batch = self._batches[config["batch"]]
        self._room[batch.device] += batch.share
