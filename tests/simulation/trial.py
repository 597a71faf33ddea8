"""A trial of Tune, whose worker finds what it is sent in an inbox of its own."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from jobs.execution.inbox import Task

from .world import FOREVER, Process, world


@dataclass(eq=False)
class Trial:
    """A trial, as far as the callbacks look at it, and its worker, which is its actor, too."""

    trial_id: str
    config: dict[str, Any]
    node: str
    status: str = "PENDING"
    error: BaseException | None = None
    worker: Process | None = None
    known: bool = True  # to the driver: it hears what this trial reports
    waits: bool = False  # for the driver to read its report
    tasks: deque[Task | None] = field(default_factory=deque)

    @property
    def temporary_state(self) -> SimpleNamespace:
        return SimpleNamespace(ray_actor=self)

    @property
    def live(self) -> bool:
        return self.status in ("PENDING", "RUNNING")

    @property
    def execute(self) -> SimpleNamespace:
        return SimpleNamespace(remote=self._execute)

    def _execute(self, function: Callable[[object], None]) -> None:
        """Call a function where the worker is, so that it finds the worker's own inbox."""
        world().receiver = self
        function(self)
        world().receiver = None

    def wait(self) -> None:
        """Wait as Tune lets a worker wait; one of which the driver knows nothing more goes on."""
        self.waits = True
        while self.waits and self.known:
            world().sleep(FOREVER)

    def go_on(self) -> None:
        if self.waits and self.worker:
            world().wake(self.worker)
        self.waits = False


class Inbox:
    """Stands for the inbox of the process that uses it."""

    def put(self, task: Task | None) -> None:
        world().receiver.tasks.append(task)

    def get(self) -> Task | None:
        here = world()
        _, trial = here.trial_of[here.current]
        here.step("asks for a batch")
        while not trial.tasks:  # only where nobody hears it any more: else it is there already
            if trial.known:
                here.checker.fault(f"{trial.trial_id} goes on, and was sent nothing")
            here.sleep(FOREVER)
        here.began[here.current] = here.now
        task: Task | None = trial.tasks.popleft()
        return task
