"""The world: processes that take turns, a clock that nobody waits for, and one source of chance.

A process is a thread that runs only while it holds the baton. It gives the baton away at each
operation, and the seed draws who gets it: a schedule replays exactly.
"""

import threading
from collections.abc import Callable
from random import Random
from typing import Any

MOST_STEPS = 30_000  # a world that takes more goes round in circles
FOREVER = float("inf")


class Killed(BaseException):
    """This process is dead: nothing that it does reaches the world any more."""


class Process:
    """A driver, a worker or the operator. `kill_at`: when it dies, at its next operation."""

    def __init__(self, world: "World", name: str, action: Callable[[], None]) -> None:
        self.name, self.action = name, action
        self.wake_at, self.kill_at = world.now, FOREVER
        self.interrupted = False  # Ctrl-C comes at its next operation
        self.ended = False
        self.error: BaseException | None = None
        self.at_end: list[Callable[[], None]] = []
        self.baton = threading.Semaphore(0)
        self.thread = threading.Thread(target=self._run, args=(world,), daemon=True)

    def __repr__(self) -> str:
        return self.name

    def _run(self, world: "World") -> None:
        self.baton.acquire()
        try:
            world.check_alive(self)
            self.action()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001  whatever it is, a test prints it
            self.error = error
        self.ended = True
        for action in self.at_end:
            action()
        world.left(self)


class World:
    """All that a seed determines: chance, time, processes, and the schedule so far."""

    def __init__(self, seed: int) -> None:
        self.seed, self.draw = seed, Random(seed)
        self.now, self.steps = 0.0, 0
        self.schedule: list[str] = []
        self.processes: list[Process] = []
        self.current: Process | None = None
        self.before_step: Callable[[Process], None] = lambda _: None  # faults between operations
        self.stickiness = self.draw.choice((0.0, 0.5, 0.9))  # how long a process keeps the baton
        self.stuck = ""
        self.looking = False  # the checker looks: nothing takes time
        self.operator_error: BaseException | None = None
        self._over = threading.Semaphore(0)

    def note(self, text: str) -> None:
        """Add a line to the schedule."""
        if self.looking:
            return
        self.schedule.append(f"{self.now:10.3f} {self.current!s:<9} {text}")

    def run(self, action: Callable[[], None]) -> None:
        """Run an action as the operator, and all processes that it starts, to their ends."""
        operator = self.current = self.spawn("operator", action)
        operator.baton.release()
        self._over.acquire()
        self.operator_error = operator.error

    def spawn(self, name: str, action: Callable[[], None]) -> Process:
        process = Process(self, name, action)
        self.processes.append(process)
        process.thread.start()
        return process

    def step(self, text: str, seconds: float = 0.0) -> None:
        """Let others run, then begin an operation of this process. Raises Killed in a dead one."""
        if self.looking:
            return
        me = self._me()
        self.steps += 1
        if self.steps > MOST_STEPS and not self.stuck:
            self._end_all(f"{MOST_STEPS:,} operations and no end")
        self.now += 0.001 + 0.01 * self.draw.random()
        me.wake_at = self.now + seconds
        if seconds or self.draw.random() >= self.stickiness:
            self._hand_over(me)
        self.before_step(me)
        self.check_alive(me)
        self.note(text)

    def sleep(self, seconds: float) -> None:
        """Wait for so long, or until somebody wakes or kills this process."""
        me = self._me()
        self.check_alive(me)
        me.wake_at = min(self.now + seconds, me.kill_at)
        self._hand_over(me)
        self.check_alive(me)

    def wake(self, process: Process) -> None:
        process.wake_at = min(process.wake_at, self.now)

    def kill(self, process: Process, after: float = 0.0) -> None:
        """Let a process die at its next operation from then on."""
        process.kill_at = min(process.kill_at, self.now + after)
        process.wake_at = min(process.wake_at, process.kill_at)

    def check_alive(self, process: Process) -> None:
        if self.stuck or self.now >= process.kill_at:
            process.kill_at = min(self.now, process.kill_at)
            raise Killed
        if process.interrupted:
            process.interrupted = False
            raise KeyboardInterrupt

    def alive(self, process: Process) -> bool:
        return not process.ended and self.now < process.kill_at

    def left(self, process: Process) -> None:
        """Pass the baton on from a process that ended."""
        self.processes.remove(process)
        if self.processes:
            self._pass_on(self._next())
        else:
            self._over.release()

    def _me(self) -> Process:
        me = self.current
        assert me is not None
        assert threading.current_thread() is me.thread, "an operation outside of the schedule"
        return me

    def hang(self, me: Process) -> None:
        """Let the running process do nothing more until it is killed."""
        me.wake_at = me.kill_at
        self._hand_over(me)

    def _hand_over(self, me: Process) -> None:
        following = self._next()
        if following is not me:
            self._pass_on(following)
            me.baton.acquire()

    def _pass_on(self, following: Process) -> None:
        self.current = following
        following.baton.release()

    def _next(self) -> Process:
        """Draw a process that is not waiting; where all are, the clock moves on."""
        ready = [p for p in self.processes if p.wake_at <= self.now]
        if not ready:
            first = min(process.wake_at for process in self.processes)
            if first == FOREVER:
                self._end_all("all processes wait for each other")
                return self.processes[0]
            self.now = first
            ready = [p for p in self.processes if p.wake_at <= self.now]
        return ready[0] if len(ready) == 1 else self.draw.choice(ready)

    def _end_all(self, why: str) -> None:
        self.stuck = f"{why}: " + ", ".join(map(str, self.processes))
        for process in self.processes:
            process.kill_at = process.wake_at = self.now


class Running:
    """The world that the code under test is in."""

    world: Any = None


def world() -> Any:
    """Return the world of the simulation that is running."""
    return Running.world
