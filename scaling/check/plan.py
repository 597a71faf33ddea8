"""The tasks of a device in order: those that most need the device come first."""

from dataclasses import dataclass

from scaling.check.kernels import KINDS, MORE_KINDS, PAIRS
from scaling.recipes.ladder import BASELINE, MODERN

RECIPES = (BASELINE, MODERN)  # of the speeds: the two ends of the ladder
WIDEST = ("-w4", "-w8")  # compiled last, as they take longest and are used least


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A process of the check; `words` name its work. Units: seconds on a busy core."""

    words: tuple[str, ...]
    usual: float  # measured
    most: float
    shared: bool = False  # may run beside others of its group, as it measures no time

    @property
    def name(self) -> str:
        return " ".join(self.words)


def tasks(device: str) -> list[list[Task]]:
    """Return groups of tasks; a group ends before the next begins."""
    kinds = [*KINDS, *MORE_KINDS]
    early = [_compiled(kind) for kind in kinds if not kind.endswith(WIDEST)]
    late = [_compiled(kind) for kind in kinds if kind.endswith(WIDEST)]
    pairs = [Task(words=("order", *pair), usual=3, most=30, shared=True) for pair in PAIRS]
    population = Task(words=("population", "cpu"), usual=25, most=60)
    speeds = [[Task(words=("speed", name), usual=25, most=40)] for name in RECIPES]
    # Assumed: on a busy machine the import of torch alone may take 40 s (measured: beyond 30 s).
    machine = [Task(words=("machine",), usual=4, most=120)]
    if device == "cpu":
        return [machine, early, pairs, [population], *speeds, late]
    on_gpu = [
        Task(words=("population", device), usual=40, most=90),
        early.pop(0),  # the verdict needs it, so it precedes tasks that only add figures
        *(Task(words=("speed-gpu", name), usual=30, most=75) for name in RECIPES),
        Task(words=("reference", device), usual=15, most=30),
    ]
    return [machine, *([task] for task in on_gpu), early, pairs, *speeds, [population]]


def _compiled(kind: str) -> Task:
    return Task(words=("compiled", kind), usual=14, most=90, shared=True)
