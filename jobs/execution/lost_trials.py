"""Say why a trial was lost, in a line, and let no kind of loss end the whole sweep."""

import pickle
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayActorError, RayTaskError

from jobs.execution.losses import NODE_ID, flat, plain

UNKNOWN = "its trial ended without a result"
# Ray names a dead worker's exit between its own details and a list of possible causes.
EXIT = re.compile(r"Worker exit detail: (.*?)(?: Some common causes| There are some potential|$)")
# What it says of the actor, which tells a user nothing.
DETAILS = re.compile(r"\b(?:class_name|actor_id|pid|name|namespace|ip): \S+ ")


class WorkerLost(RayActorError):
    """An error of Ray about a worker that Tune does not know, as one that it knows."""

    def __init__(self, error_msg: str) -> None:
        super().__init__(error_msg=error_msg)


class OutOfMemory(WorkerLost, MemoryError):
    """The memory monitor of a node killed the worker."""


def know_all_errors() -> None:
    """Make Tune fail the one trial whose worker raises an error that it does not know.

    It knows two kinds. For any other, as when a node runs out of memory, it ends all trials, or
    forgets the error of a worker that was starting. There is no public switch, hence private names.
    """
    for name in ("_actor_task_failed", "_actor_start_failed"):
        setattr(RayActorManager, name, _with_known_error(getattr(RayActorManager, name)))


def _with_known_error(method: Callable[..., None]) -> Callable[..., None]:
    @wraps(method)
    def called(self: RayActorManager, *args: Any, exception: Exception, **kwargs: Any) -> None:
        if not isinstance(exception, RayActorError | RayTaskError):
            lost = OutOfMemory if isinstance(exception, OutOfMemoryError) else WorkerLost
            exception = lost(plain(exception))
        method(self, *args, exception=exception, **kwargs)

    return called


def error_of(trial: Any) -> BaseException:
    """Return the last error of a trial, which Tune keeps in a file of its scratch folder only."""
    path = trial.pickled_error_file
    if path and Path(path).exists():
        error = pickle.loads(Path(path).read_bytes())
        if isinstance(error, BaseException):
            return error
    return WorkerLost(UNKNOWN)


def reason(error: BaseException) -> str:
    """Return why a trial was lost, in a line."""
    text = NODE_ID.sub("", flat(error)).partition(" OOM kill reason")[0]
    if isinstance(error, RayTaskError):  # the last line of its traceback
        return text and plain(error).strip().splitlines()[-1][:500]
    if isinstance(error, ActorDiedError):
        found = EXIT.search(text)
        why = found.group(1) if found else DETAILS.sub("", text).rpartition("because ")[2]
        return f"its worker died ({why.strip()[:200]})"
    return text[:500] or UNKNOWN
