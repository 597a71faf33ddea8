"""A cluster in place of Ray Tune: it asks the real source for trials and runs them as processes.

The real callbacks hear of each trial what Tune would tell them: `Care` and `Watch` among them.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from ray.tune.search import Searcher

from jobs.execution.head_watch import HeadLost
from jobs.execution.lost_trials import WorkerLost
from jobs.execution.ray_trials import INFRASTRUCTURE_RETRIES, Care
from jobs.execution.silence import Limits, Watch
from jobs.execution.trial_source import Lost, TrialSource
from scaling.store.store import Store

from .world import FOREVER, Process, world

LOOK_S = 10.0  # how long the driver waits for its trials before it looks at all of them
ORPHAN_S = 40.0  # how long a worker may live on after its driver, or cut off from it


@dataclass(eq=False)
class Trial:
    """A trial, as far as the callbacks look at it, and its worker."""

    trial_id: str
    config: dict[str, Any]
    status: str = "RUNNING"
    error: BaseException | None = None
    worker: Process | None = None
    known: bool = True  # to the driver: it hears what this trial reports

    @property
    def temporary_state(self) -> SimpleNamespace:
        return SimpleNamespace(ray_actor=self)


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
            trial.known = False
        assert trial.worker is not None
        world().kill(trial.worker, after)

    def end(self) -> None:
        """Let all workers die with their driver, some of them later."""
        here = world()
        for trial in self.trials:
            if trial.worker and not trial.worker.ended:
                late = here.draw.random() < 0.3 and not here.weather.fair
                here.kill(trial.worker, ORPHAN_S * here.draw.random() if late else 0.0)


def run_trials(
    trainable: Callable[..., None],
    source: TrialSource,
    *,
    max_concurrent: int,
    resources: object,  # noqa: ARG001
    predicted: Callable[[dict[str, Any]], float],
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

    watch = Watch(predicted, say, limits)
    care = Care(source, store, watch, SimpleNamespace(check=check_head), say)  # type: ignore[arg-type]
    given = {"out": store.out, "settings": {}, **trainable_kwargs}

    def start(trial: Trial) -> None:
        def work() -> None:
            try:
                trainable(trial.config, **given)
            except Exception as error:  # noqa: BLE001  as Ray catches whatever a trial raises
                here.checker.lost_trial(error)
                trial.error = error
                cluster.tell(trial, "lost")
                trial.known = False
            else:
                cluster.tell(trial, "done")

        trial.worker = here.spawn(f"worker{next(here.numbers)}", work)
        here.trial_of[trial.worker] = (cluster, trial)
        here.began[trial.worker] = here.now

    hooks = [*callbacks, watch, care]
    try:
        _fit(cluster, source, max_concurrent, start, hooks)
    except HeadLost as lost:
        store_lost(source.unfinished(lost))
        raise
    finally:
        cluster.end()
    store_lost(source.lost)


def _fit(
    cluster: Cluster,
    source: TrialSource,
    max_concurrent: int,
    start: Callable[[Trial], None],
    hooks: Sequence[Any],
) -> None:
    """Run the trials of a source until it has no more, as Tune does."""
    here, finished, iteration = world(), False, 0
    running: list[Trial] = []

    def tell(what: str, **info: Any) -> None:
        for hook in hooks:
            if method := getattr(hook, what, None):
                method(iteration=iteration, trials=cluster.trials, **info)

    while not finished or running:
        iteration += 1
        here.step("looks at its trials")
        tell("on_step_begin")
        while not finished and len(running) < max_concurrent:
            name = f"trial{next(here.numbers)}"
            config = source.suggest(name)
            if config == Searcher.FINISHED or config is None:
                finished = config == Searcher.FINISHED
                break
            trial = Trial(name, config)
            here.note(f"begins {name}: {config}")
            cluster.trials.append(trial)
            running.append(trial)
            start(trial)
            tell("on_trial_start", trial=trial)
        if running and not cluster.inbox:
            here.sleep(LOOK_S)
        if cluster.inbox:
            trial, what, value = cluster.inbox.popleft()
            here.note(f"hears {trial.trial_id}: {what} {value or trial.error or ''}"[:300])
            if what == "result":
                tell("on_trial_result", trial=trial, result=value)
            else:
                running.remove(trial)
                trial.status = "TERMINATED" if what == "done" else "ERROR"
                source.on_trial_complete(trial.trial_id, error=what == "lost")
                tell("on_trial_complete" if what == "done" else "on_trial_error", trial=trial)
        tell("on_step_end")


def report(result: dict[str, Any]) -> None:
    """Stand for tune.report in a worker; a driver that is asked for one prints a line."""
    here = world()
    if here.current not in here.trial_of:
        here.note(f"prints: {result.get('message')}")
        return
    cluster, trial = here.trial_of[here.current]
    if result.get("finished"):
        here.checker.acknowledged(result["finished"], result["failed"])
    here.step(f"reports {result}")
    cluster.tell(trial, "result", result)


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
