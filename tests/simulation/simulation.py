"""One simulated world: commands that begin when a seed says, and the faults between their steps."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any
from unittest import mock

from jobs.execution import folder, sweep, worker
from jobs.execution.folder import compact_folder, exclusive_lock
from jobs.execution.presence import FOLDER, STALE_S, announced
from scaling.store import compact
from scaling.store.store import Store
from scaling.study import Job

from . import models
from .bucket import Objects
from .checker import Checker
from .cluster import Cluster, Trial
from .disk import Platter
from .patches import installed
from .trouble import trouble
from .weather import Weather
from .world import FOREVER, Process, Running, World

LOCAL, BUCKET = "/simulated/out", "s3://simulated/out"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a world is made of; the seed draws what is None."""

    bucket: bool | None = None
    kinds: tuple[str, ...] | None = None  # of faults
    commands: tuple[str, ...] | None = None
    epoch_s: float | None = None  # how long an epoch of a training takes


@dataclass
class Outcome:
    """What came of a seed: its schedule, and what did not hold."""

    seed: int
    schedule: list[str]
    faults: list[str]
    kinds: frozenset[str]
    steps: int
    trained: int

    def text(self) -> str:
        return "\n".join(self.schedule)


class Simulation(World):
    """A world with a results folder, drivers and their workers."""

    def __init__(self, seed: int, setting: Setting) -> None:
        super().__init__(seed)
        draw = self.draw
        self.weather = Weather(draw, setting.kinds)
        self.checker = Checker(self)
        self.is_bucket = draw.random() < 0.4 if setting.bucket is None else setting.bucket
        self.out = BUCKET if self.is_bucket else LOCAL
        self.platter, self.objects = Platter(LOCAL), Objects()
        self.locks: dict[str, Process] = {}
        self.clusters: list[Cluster] = []
        self.trial_of: dict[Process, tuple[Cluster, Trial]] = {}
        self.began: dict[Process, float] = {}  # when a worker got its batch
        self.receiver: Trial | None = None  # the worker in which Tune calls a function
        self.nodes = draw.choice((("one node",), ("node a", "node b")))
        self.numbers = count(1)
        self.n_workers = draw.randint(1, 3)
        drawn_s = draw.choice((0.01, 1.0, 6.0))
        self.epoch_s = drawn_s if setting.epoch_s is None else setting.epoch_s
        self.may_train_twice = self.is_bucket
        self.lists_are_fresh = "stale" not in self.weather.kinds or not self.is_bucket
        self.before_step = partial(trouble, self)
        shapes = draw.sample(range(len(models.SHAPES)), 2)
        self.studies = [models.study(shapes[0], "one"), models.study(shapes[-1], "two")]
        self.commands = setting.commands or tuple(
            draw.choice(("one", "one", "two", "compact", "status"))
            for _ in range(draw.randint(1, 3))
        )
        self.swept = [study for study in self.studies if study[0].name in {*self.commands, "one"}]
        self.constants = (
            (folder, "MANY", draw.choice((1, 4, 2000))),
            (compact, "FILE", draw.choice((2, 8192))),
            (compact, "GROUP", draw.choice((1, 256))),
            (worker, "TOGETHER_S", draw.choice((0.0, 2.0, 20.0))),
        )

    def play(self) -> None:
        """Run the commands in bad weather; then each once more, with nothing to hinder it."""
        self.note(
            f"{self.out}, {self.n_workers} workers, faults: {' '.join(sorted(self.weather.kinds))};"
            f" commands: {' '.join(self.commands)};"
            f" {' '.join(f'{name} {value}' for _, name, value in self.constants)}"
        )
        started = []
        for name in self.commands:
            started.append(self._begin(name))
            if self.draw.random() < 0.4:
                self._wait_for([started[-1]])
            else:
                self.sleep(30 * self.draw.random())
        self._wait_for(self.others())
        self.weather.fair = True
        self.note("fair weather from here on")
        self.sleep(STALE_S + 1.0)
        self.checker.promises("in bad weather")
        for study, _ in self.swept:
            self._wait_for([self._begin(study.name)])
            self._wait_for(self.others())
        self.checker.whole([job for _, jobs in self.swept for job in jobs])
        self._nothing_to_do()
        if left := [path for path in self.all_files() if f"/{FOLDER}/" in path]:
            self.checker.fault(f"{left} stay, and no driver is there any more")

    def _nothing_to_do(self) -> None:
        """Check that a command that is given once more trains nothing."""
        before = self.checker.trained
        self._wait_for([self._begin("one")])
        if self.checker.trained != before:
            self.checker.fault("a command whose models are all stored trains again")

    def _begin(self, name: str) -> Process:
        """Start a command as a driver."""

        def action() -> None:
            error: BaseException | None = None
            try:
                self._command(name)
            except Exception as raised:  # noqa: BLE001  the checker looks at it
                error = raised
            except KeyboardInterrupt as raised:
                error = raised
            self.note(f"ends: {name} {type(error).__name__ if error else ''} {error or ''}"[:300])
            self.checker.ended(name, error)

        process = self.spawn(f"driver{next(self.numbers)}", action)
        operator = self.current
        process.at_end.append(lambda: self.wake(operator))
        return process

    def _command(self, name: str) -> None:
        store = Store(self.out)

        def report(line: str) -> None:
            self.note(f"prints: {line}")
            self.checker.printed(line)

        if name == "status":
            self.checker.rows(store.contents())
        elif name == "compact":
            with exclusive_lock(store), announced(store, "compact", report) as presence:
                compact_folder(store, report, presence.renew)
        else:
            study, jobs = next(each for each in self.studies if each[0].name == name)
            sweep.sweep(study, jobs, store, sweep.Options(), report, cost=self._cost)

    def _cost(self, job: Job, engine: str, device: str) -> float:  # noqa: ARG002
        return len(job.members) * max(self.epoch_s, 0.5)

    def others(self) -> list[Process]:
        return [process for process in self.processes if process is not self.current]

    def _wait_for(self, processes: list[Process]) -> None:
        me = self.current
        for process in processes:
            process.at_end.append(lambda: self.wake(me))
        while not all(process.ended for process in processes):
            self.sleep(FOREVER)

    def others_than_operator(self) -> list[Process]:
        return [process for process in self.processes if process.name != "operator"]

    def all_files(self) -> dict[str, Any]:
        return self.objects.files if self.is_bucket else self.platter.files

    def body_of(self, path: str) -> bytes:
        return bytes(self.all_files()[path].body)

    def look(self, action: Callable[[], Any]) -> Any:
        """Return what an action sees, without taking time or meeting a fault."""
        fair, self.weather.fair, self.looking = self.weather.fair, True, True
        try:
            return action()
        finally:
            self.weather.fair, self.looking = fair, False


@contextmanager
def _in(simulation: Simulation) -> Iterator[None]:
    """Make a world the one that the code under test is in."""
    patches = [mock.patch.object(*each) for each in simulation.constants]
    for patch in patches:
        patch.start()
    Running.world = simulation
    try:
        yield
    finally:
        Running.world = None
        for patch in patches:
            patch.stop()


def simulate(seed: int, setting: Setting = Setting()) -> Outcome:
    """Return what comes of a seed; the code under test must be `installed`."""
    simulation = Simulation(seed, setting)
    with _in(simulation):
        simulation.run(simulation.play)
    faults = [*simulation.checker.faults, *([simulation.stuck] if simulation.stuck else [])]
    if simulation.operator_error and not simulation.stuck:
        raise simulation.operator_error
    return Outcome(
        seed=seed,
        schedule=simulation.schedule,
        faults=faults,
        kinds=frozenset(simulation.weather.kinds),
        steps=simulation.steps,
        trained=simulation.checker.trained,
    )


__all__ = ["Outcome", "Setting", "installed", "simulate"]
