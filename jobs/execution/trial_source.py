"""Give Tune its trials, and those once more that were lost: elsewhere, or alone."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from jobs.execution.lost_trials import ran_out_of_memory

Lost = tuple[dict[str, Any], BaseException]


class TrialSource(Searcher, ABC):
    """Give Tune its trials. The results folder is all the state, so Tune has none to save.

    A lost trial is given again, up to `retries` times, with the address of its node as `avoid`. One
    that ran out of memory waits until nothing else is left, and runs alone. Tune's own retries
    know neither.
    """

    def __init__(self, retries: int = 0) -> None:
        super().__init__()
        self.retries = retries
        self.ended = False  # True: begin no more trials
        self.running: dict[str, dict[str, Any]] = {}  # configurations by trial_id
        self._given_up, self._again, self._alone = list[Lost](), list[Lost](), list[Lost]()

    @abstractmethod
    def new(self) -> Any:
        """Return the configuration of a trial that was not given yet.

        None while none can begin, Searcher.FINISHED once none is left.
        """

    def fits(self, config: dict[str, Any]) -> bool:
        """Tell whether a lost trial can begin now."""
        return True

    def began(self, config: dict[str, Any]) -> None:
        """Note that a trial of this configuration begins."""

    def ended_trial(self, config: dict[str, Any]) -> None:
        """Note that a trial of this configuration ended, also if it is given again."""

    def settled(self, config: dict[str, Any]) -> None:
        """Note that this configuration is not given again."""

    @property
    def lost(self) -> list[Lost]:
        """Return the configurations of the trials that did not end well, with their last errors."""
        return [*self._given_up, *self._again, *self._alone]

    def unfinished(self, error: BaseException) -> list[Lost]:
        """Return the lost trials, with those that were running when this error ended them all."""
        return [*self.lost, *((config, error) for config in self.running.values())]

    def suggest(self, trial_id: str) -> Any:
        """Return the configuration of a trial; None while none can begin."""
        if self.ended:
            return Searcher.FINISHED
        if any(config.get("alone") for config in self.running.values()):
            return None
        config = self._next()
        if isinstance(config, dict):
            self.running[trial_id] = config
            self.began(config)
        return config

    def _next(self) -> Any:
        for place, (config, _) in enumerate(self._again):
            if self.fits(config):
                return self._again.pop(place)[0]
        if (config := self.new()) != Searcher.FINISHED:
            return config
        if self.running or self._again:  # a running one may be lost yet
            return None
        return self._alone.pop(0)[0] if self._alone else Searcher.FINISHED

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Free the place of a trial. After an error, `failed` follows, which knows the error."""
        config = self.running.pop(trial_id)
        self.ended_trial(config)
        if not error:
            self.settled(config)

    def failed(self, config: dict[str, Any], error: BaseException, node: str) -> str:
        """Give the trial again, or give it up; return what becomes of it, in words."""
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

    def save(self, checkpoint_path: str) -> None:
        """Save nothing; Tune wants the file."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: see `save`."""
