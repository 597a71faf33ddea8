"""Give the workers of Tune's trials what a source has for them, and the source what was lost."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.tune.search import Searcher

from jobs.execution.head_watch import HeadWatch
from jobs.execution.inbox import DONE, send
from jobs.execution.losses import node_of
from jobs.execution.lost_trials import WorkerLost, error_of, reason
from jobs.execution.silence import Watch, place_of
from jobs.execution.trial_source import FINISHED, Opening, TrialSource, Worker
from scaling.errors import InputError
from scaling.store.store import Store

Arguments = Callable[[dict[str, Any]], Mapping[str, Any]]


def drop_old_results() -> None:
    """Make Tune drop the results of a trial that it has read.

    It keeps the futures of all of a trial's reports, and so 2 kB a report, until the trial ends.
    There is no public switch, hence private names.
    """
    resolved = RayActorManager._actor_task_resolved

    def drop(self: RayActorManager, tracked_actor_task: Any, result: Any) -> None:
        self._tracked_actors_to_task_futures.pop(tracked_actor_task._tracked_actor, None)
        resolved(self, tracked_actor_task, result)

    setattr(RayActorManager, "_actor_task_resolved", drop)  # noqa: B010  mypy forbids the other


class Openings(Searcher):
    """Have Tune start a trial for each worker that a source can use. Tune has no state to save.

    `elsewhere` tells whether another node than this one could start a worker of a kind. A trial
    that waits for one, as its nodes are gone, counts for nothing: another is started anywhere.
    """

    def __init__(self, source: TrialSource, elsewhere: Callable[[Hashable, str], bool]) -> None:
        super().__init__()
        self._source, self._elsewhere = source, elsewhere
        self.waiting: dict[str, Opening] = {}  # trials without a worker, by trial_id

    def suggest(self, trial_id: str) -> Any:
        """Return what a trial requests of its node; None while no more are of use."""
        if self._source.finished:
            return FINISHED
        waiting = [each.kind for each in self.waiting.values() if self._may_start(each)]
        if (opening := self._source.opening(waiting)) is None:
            return None
        if not self._may_start(opening):
            opening = Opening(kind=opening.kind)
        self.waiting[trial_id] = opening
        return {"kind": opening.kind, "avoid": opening.avoid}

    def _may_start(self, opening: Opening) -> bool:
        return not opening.avoid or self._elsewhere(opening.kind, opening.avoid)

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        self.waiting.pop(trial_id, None)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing; Tune wants the file."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: see `save`."""


class NothingLeft(tune.Stopper):
    """End all trials once nothing is left: some may still wait for a worker."""

    def __init__(self, source: TrialSource) -> None:
        self._source = source

    def __getstate__(self) -> dict[str, object]:
        """Leave everything out: Ray Tune pickles it."""
        return {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._source.finished


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    actor: Any
    worker: Worker


class Dispatch(tune.Callback):
    """Send each worker one configuration after another; give the source again what one lost.

    Print a line for each loss, and end all trials without a head. Begin nothing more once something
    was given up and results cannot be written.
    """

    def __init__(
        self,
        source: TrialSource,
        openings: Openings,
        arguments: Arguments,
        store: Store,
        watch: Watch,
        head: HeadWatch,
        say: Callable[[str], None],
    ) -> None:
        self._source, self._openings, self._arguments = source, openings, arguments
        self._store, self._watch, self._head, self._say = store, watch, head, say
        self._trials: dict[str, _Trial] = {}
        self._error: InputError | None = None

    def __getstate__(self) -> dict[str, object]:
        """Leave everything out: Ray Tune pickles its callbacks, and these hold a thread."""
        return {}

    def on_step_begin(self, iteration: int, trials: list[Any], **_: Any) -> None:
        self._head.check()
        if self._error:  # here, as Tune would wrap it elsewhere
            raise self._error

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        kind = self._openings.waiting.pop(trial.trial_id).kind
        actor = trial.temporary_state.ray_actor
        self._next(trial.trial_id, actor, Worker(kind=kind, node=place_of(actor)[0]))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any
    ) -> None:
        if result.get(DONE):
            self._watch.ended(trial.trial_id)
            known = self._trials[trial.trial_id]
            worker = Worker(kind=known.worker.kind, node=known.worker.node, fresh=False)
            self._next(trial.trial_id, known.actor, worker)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        self._watch.forget(trial.trial_id)
        self._trials.pop(trial.trial_id, None)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        killed = self._watch.forget(trial.trial_id)
        known = self._trials.pop(trial.trial_id, None)
        if known is None:  # it could not start: what it would have been given counts a try
            kind = trial.config["kind"]
            self._source.suggest(trial.trial_id, Worker(kind=kind))
        if (config := self._source.running.get(trial.trial_id)) is None:
            return
        error = WorkerLost(killed) if killed else error_of(trial)
        self._source.on_trial_complete(trial.trial_id, error=True)
        node = known.worker.node if known else node_of(error)
        fate = self._source.failed(config, error, node)
        self._say(f"a trial was lost: {reason(error)}; it is {fate}")
        if fate.startswith("given up"):
            try:
                self._store.check_writable()
            except InputError:
                self._source.ended = True

    def _next(self, trial_id: str, actor: Any, worker: Worker) -> None:
        """Note what a worker has trained, and send it what it trains next or the word to end."""
        self._trials[trial_id] = _Trial(actor=actor, worker=worker)
        try:
            if not worker.fresh:
                self._source.on_trial_complete(trial_id)
            config = self._source.suggest(trial_id, worker)
        except InputError as error:  # results cannot be read or written
            self._error, config = error, None
        if isinstance(config, dict):
            self._watch.began(trial_id, actor, config)
            send(actor, (config, self._arguments(config)))
        else:
            self._watch.began(trial_id, actor, None)
            send(actor, None)
