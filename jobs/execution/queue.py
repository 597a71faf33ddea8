"""Choose the batch that a free core or GPU trains next: of its own kind, the longest left."""

from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from jobs.execution.trial_source import FINISHED, TrialSource
from jobs.planning.batches import Batch, Slots

Kind = tuple[str, float]  # the device, and the part of it that a worker requests


class Queue(TrialSource):
    """Give the numbers of batches. No Ray and no clock: the same questions get the same answers.

    Where a study uses both cores and GPUs, batches that wait for one would keep the other idle if
    they stood in one line.
    """

    def __init__(self, batches: Sequence[Batch], slots: Slots) -> None:
        super().__init__()
        self._room = {"cpu": float(slots.cpu), "cuda": float(slots.gpu)}
        self._batches = batches
        self._left: dict[Kind, deque[int]] = {}
        for number in range(len(batches)):
            self._left.setdefault(self.kind({"batch": number}), deque()).append(number)

    def new(self) -> Any:
        """Return the number of the next batch; None while no slot of its kind is free."""
        for device in self._room:
            lines = [kind for kind, line in self._left.items() if line and kind[0] == device]
            if lines:
                longest = min(lines, key=lambda kind: self._left[kind][0])
                if isinstance(config := self._first(longest), dict):
                    return config
        return None if any(self._left.values()) else FINISHED

    def new_of(self, kind: Hashable) -> Any:
        """Return the number of the next batch for a worker that has requested this already."""
        assert isinstance(kind, tuple)
        if self._left.get(kind):
            return self._first(kind)
        return None if any(self._left.values()) else FINISHED

    def _first(self, kind: Kind) -> dict[str, Any] | None:
        if self.fits({"batch": self._left[kind][0]}):
            return {"batch": self._left[kind].popleft()}
        return None

    def kind(self, config: dict[str, Any]) -> Kind:
        """Return the device of a batch and the part of it that it needs."""
        batch = self._batches[config["batch"]]
        return batch.device, batch.share

    def remaining(self) -> Mapping[Hashable, float]:
        """Return how many batches were not given yet; the kinds of the longest come first."""
        kinds = sorted((line[0], kind) for kind, line in self._left.items() if line)
        return {kind: len(self._left[kind]) for _, kind in kinds}

    def fits(self, config: dict[str, Any]) -> bool:
        """Tell whether the slots that a batch needs are free."""
        return self.has_room(self.kind(config), ())

    def has_room(self, kind: Hashable, waiting: Sequence[Hashable]) -> bool:
        """Tell whether the slots of one more worker are free."""
        assert isinstance(kind, tuple)
        device, share = kind
        taken = sum(each[1] for each in waiting if isinstance(each, tuple) and each[0] == device)
        return bool(taken + share <= self._room[device] + 1e-9)

    def began(self, config: dict[str, Any]) -> None:
        """Take the slots of a batch."""
        device, share = self.kind(config)
        self._room[device] -= share

    def ended_trial(self, config: dict[str, Any]) -> None:
        """Free the slots of a batch, also after an error."""
        device, share = self.kind(config)
        self._room[device] += share
