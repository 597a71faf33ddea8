"""Notice within a minute that Ray's head, or our own node, answers no more."""

import threading
import time
from collections.abc import Callable, Mapping

import ray

from jobs.execution import stopping
from jobs.execution.probe import greet

ASK_S = 3.0  # assumed: between two questions
ANSWER_S = 5.0  # assumed: of a busy head
LOST_S = 25.0  # assumed: Ray itself ends this process after 60 s, with lines of its own


class HeadLost(Exception):
    """Ray answers no more, or has forgotten us; no trial of this sweep will end any more."""


class HeadWatch:
    """Ask the processes at these addresses, from a thread, whether they are there.

    `lost` is None, or says which one has not answered for too long. Some seconds after that,
    `too_late` is called, if the block has not ended: the main thread then hangs in a call of Ray.
    """

    def __init__(
        self, addresses: Mapping[str, str], too_late: Callable[[str], None], lost_s: float = LOST_S
    ) -> None:
        self._addresses, self._too_late, self._lost_s = addresses, too_late, lost_s
        self.lost: str | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> "HeadWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def check(self) -> None:
        """Raise HeadLost if one is lost."""
        if self.lost:
            raise HeadLost(self.lost)

    def _ask(self) -> None:
        answered = dict.fromkeys(self._addresses, time.monotonic())
        while not self._ended.wait(ASK_S):
            for name, address in self._addresses.items():
                try:
                    greet(address, ANSWER_S)
                except OSError as error:
                    silent = time.monotonic() - answered[name]
                    stopping.set_trouble(f"{name} at {address} did not answer: {error}")
                    if silent >= self._lost_s:
                        self.lost = f"{name} at {address} has not answered for {silent:.0f} s"
                        self.lost += f" ({error})"
                        if not self._ended.wait(10.0):
                            self._too_late(self.lost)
                        return
                else:
                    answered[name] = time.monotonic()


def addresses() -> dict[str, str]:
    """Return the addresses of Ray's head and of the node that this process belongs to."""
    context = ray.get_runtime_context()
    found = {"Ray's head": context.gcs_address}
    for node in ray.nodes():
        if node["NodeID"] == context.get_node_id():
            found["our node's raylet"] = f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"
    return found
