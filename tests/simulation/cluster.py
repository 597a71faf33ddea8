"""A cluster in place of Ray Tune: trials whose workers ask the real driver for batch after batch.

The real `Openings`, `Dispatch`, `Watch` and `NothingLeft` hear what Tune would tell them, in its
order; the real `work` loops in each worker. A worker waits in each report until the driver read it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

from jobs.execution.dispatch import Arguments, Dispatch, NothingLeft, Openings
from jobs.execution.head_watch import HeadLost
from jobs.execution.inbox import DONE, finished_models, work
from jobs.execution.lost_trials import WorkerLost
from jobs.execution.ray_trials import INFRASTRUCTURE_RETRIES
from jobs.execution.silence import Limits, Watch
from jobs.execution.trial_source import FINISHED, Lost, TrialSource
from scaling.store.store import Store

from .trial import Trial
from .world import FOREVER, Process, world

LOOK_S = 10.0  # how long the driver waits for its trials before it looks at all of them
ORPHAN_S = 40.0  # how long a worker may live on after its driver, or cut off from it
START_S = 100.0  # how long Ray may need for a worker's start, in bad weather


@dataclass
class Cluster:
    """The trials of one driver, and what it has not heard of them yet."""

    driver: Process
    trials: list[Trial] = field(default_factory=list)
    inbox: deque[tuple[Trial, str, Any]] = field(default_factory=deque)
    head_lost: bool = False

    def tell(self, trial: Trial, what: str, value: Any = None) -> None:
        if trial.known:
            self.inbox.append((trial, what, value))
            world().wake(self.driver)

    def lose(self, trial: Trial, why: str, after: float = 0.0) -> None:
        """Let the driver believe that a worker is dead, which it is, or will be after a while."""
        if trial.known:
            trial.error = WorkerLost(why)
            self.tell(trial, "lost")
        self.forget(trial, after)

    def forget(self, trial: Trial, after: float = 0.0) -> None:
        """Hear nothing more of a trial, whose worker dies after a while."""
        trial.known = False
        trial.go_on()
        if trial.worker and not trial.worker.ended:
            world().kill(trial.worker, after)

    def end(self) -> None:
        """Let all workers die with their driver, some of them later."""
        here = world()
        for trial in self.trials:
            if trial.worker and not trial.worker.ended:
                late = here.draw.random() < 0.3 and not here.weather.fair
                self.forget(trial, ORPHAN_S * here.draw.random() if late else 0.0)


def run_trials(
    trainable: Callable[..., dict[str, Any] | None],
    source: TrialSource,
    *,
    max_concurrent: int,
    resources: object,  # noqa: ARG001
    predicted: Callable[[dict[str, Any]], float],
    arguments: Arguments,
    store: Store,
    say: Callable[[str], None],
    limits: Limits,
    store_lost: Callable[[Sequence[Lost]], None],
    callbacks: Sequence[Any] = (),
    **trainable_kwargs: Any,
) -> None:
    """Stand for jobs.execution.ray_trials.run_trials."""
    here = world()
    source.retries = INFRASTRUCTURE_RETRIES
    cluster = Cluster(here.current)
    here.clusters.append(cluster)
    here.current.at_end.append(cluster.end)

    def check_head() -> None:
        if cluster.head_lost:
            raise HeadLost("the simulated head is lost")

    head: Any = SimpleNamespace(check=check_head)
    watch = Watch(predicted, say, limits)
    openings = Openings(source, lambda _, node: any(each != node for each in here.nodes))
    dispatch = Dispatch(source, openings, arguments, store, watch, head, say)
    given = partial(work, train=trainable, out=store.out, settings={}, **trainable_kwargs)
    tune = _Tune(cluster, source, openings, [*callbacks, watch, dispatch], max_concurrent, given)
    try:
        tune.fit()
    except HeadLost as lost:
        store_lost(source.unfinished(lost))
        raise
    finally:
        cluster.end()
    if not source.ended:
        here.checker.batches(tune.trained, source)
    store_lost(source.lost)


class _Tune:
    """Runs trials as Tune does: one event a step."""

    def __init__(
        self,
        cluster: Cluster,
        source: TrialSource,
        openings: Openings,
        hooks: Sequence[Any],
        most: int,
        work: Callable[[dict[str, Any]], None],
    ) -> None:
        self._cluster, self._source, self._openings = cluster, source, openings
        self._hooks, self._most, self._work = hooks, most, work
        self._nothing_left = NothingLeft(source)
        self._iteration, self._finished = 0, False
        self.trained: list[int] = []  # numbers of the batches that were trained

    def fit(self) -> None:
        here = world()
        while not self._finished or self._live():
            self._iteration += 1
            here.step("looks at its trials")
            self._tell("on_step_begin")
            self._open()
            if not self._cluster.inbox:
                here.sleep(LOOK_S if self._live() else 1.0)
            if self._cluster.inbox:
                self._hear(*self._cluster.inbox.popleft())
            if self._nothing_left.stop_all():
                self._finished = True
                for trial in self._live():
                    trial.status = "TERMINATED"
                    self._cluster.forget(trial)
            self._tell("on_step_end")

    def _live(self) -> list[Trial]:
        return [trial for trial in self._cluster.trials if trial.live]

    def _tell(self, what: str, **info: Any) -> None:
        for hook in self._hooks:
            if method := getattr(hook, what, None):
                method(iteration=self._iteration, trials=self._cluster.trials, **info)

    def _open(self) -> None:
        """Ask for trials, and have Ray start their workers."""
        here = world()
        while not self._finished and len(self._live()) < self._most:
            name = f"trial{next(here.numbers)}"
            config = self._openings.suggest(name)
            if config == FINISHED or config is None:
                self._finished = config == FINISHED
                return
            others = [node for node in here.nodes if node != config["avoid"]]
            trial = Trial(name, config, here.draw.choice(others or here.nodes))
            here.note(f"begins {name} on {trial.node}: {config}")
            self._cluster.trials.append(trial)
            trial.worker = here.spawn(f"worker{next(here.numbers)}", partial(self._run, trial))
            here.trial_of[trial.worker] = (self._cluster, trial)

    def _run(self, trial: Trial) -> None:
        """Be the worker of a trial."""
        here, cluster = world(), self._cluster
        late = not here.weather.fair and here.draw.random() < 0.1
        here.step("starts", START_S * here.draw.random() if late else 0.0)
        cluster.tell(trial, "started")
        trial.wait()
        try:
            self._work(trial.config)
        except Exception as error:  # noqa: BLE001  as Ray catches whatever a trial raises
            here.checker.lost_trial(error)
            trial.error = error
            cluster.tell(trial, "lost")
        else:
            cluster.tell(trial, "done")
        trial.known = False

    def _hear(self, trial: Trial, what: str, value: Any) -> None:
        """Handle an event; those of a trial that has ended are dropped, as Tune does."""
        world().note(f"hears {trial.trial_id}: {what} {value or trial.error or ''}"[:300])
        if not trial.live:
            return
        if what == "started":
            self._tell("on_trial_start", trial=trial)
            trial.status = "RUNNING"
            trial.go_on()
        elif what == "result":
            if value.get(DONE):
                self.trained.append(self._source.running[trial.trial_id]["batch"])
            self._tell("on_trial_result", trial=trial, result=value)
            trial.go_on()
        elif what == "done":
            trial.status = "TERMINATED"
            self._openings.on_trial_complete(trial.trial_id)
            self._tell("on_trial_complete", trial=trial)
        else:
            trial.status = "ERROR"
            self._openings.on_trial_complete(trial.trial_id, error=True)
            self._tell("on_trial_error", trial=trial)


def report(result: dict[str, Any]) -> None:
    """Stand for tune.report in a worker; a driver that is asked for one prints a line."""
    here = world()
    if here.current not in here.trial_of:
        here.note(f"prints: {result.get('message')}")
        return
    cluster, trial = here.trial_of[here.current]
    for model in finished_models(result):
        here.checker.acknowledged(model["finished"], model["failed"])
    here.step(f"reports {result}")
    cluster.tell(trial, "result", result)
    trial.wait()


def kill(trial: Trial) -> None:
    """Stand for ray.kill: a worker of a machine that is cut off lives on for a while."""
    here = world()
    for cluster in here.clusters:
        if trial in cluster.trials:
            cut_off = "cut_off" in here.weather.kinds and here.draw.random() < 0.5
            if trial.worker and trial.worker.wake_at == FOREVER and cut_off:
                here.wake(trial.worker)  # it was stopped, and goes on
            here.note(f"kills {trial.worker}{', which lives on for a while' if cut_off else ''}")
            after = ORPHAN_S * here.draw.random() if cut_off else 0.0
            cluster.lose(trial, "killed by its driver", after)
