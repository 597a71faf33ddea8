"""Train, in the worker of a Tune trial, one configuration after another as the driver sends them.

Ray Tune costs the driver 22 to 27 ms of its core for each trial, and memory that stays. So a trial
is a worker, and lives as long as something is left for it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import SimpleQueue
from typing import Any

from ray import tune

Task = tuple[dict[str, Any], Mapping[str, Any]]  # a configuration, and the arguments it alone needs
DONE = "task_done"  # a report that asks for the next one

_inbox: SimpleQueue[Task | None] = SimpleQueue()


def work(
    trial: dict[str, Any],  # noqa: ARG001  Tune's: what it requested of its node
    train: Callable[..., dict[str, Any] | None],
    **always: Any,
) -> None:
    """Call `train` with each configuration that arrives, until there is none.

    Its last report, which it returns, also asks for the next: a report costs the driver 1 ms.
    """
    while (task := _inbox.get()) is not None:
        given, own = task
        last = train(given, **own, **always)
        tune.report({**(last or {}), DONE: True})


def finished_models(report: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the finished models of a report, in the order in which they finished."""
    return [*report.get("earlier", ()), *([report] if report.get("finished") else ())]


def send(actor: Any, task: Task | None) -> None:
    """Send a configuration, or None to end, to the worker of a trial.

    The trial waits in a report, or has not begun: what is sent arrives before Tune lets it go on.
    """
    actor.execute.remote(partial(_receive, task))


def _receive(task: Task | None, _: Any) -> None:
    _inbox.put(task)
