"""Which faults a world has, and how often: each seed has some kinds only, so that all combine."""

import errno
from collections.abc import Callable
from random import Random
from typing import Any

KINDS = (
    *("errors", "outages", "lost_answers", "full", "bad_sync", "flips", "rot", "stale"),
    *("killed_workers", "hangs", "cut_off", "killed_drivers", "power", "head", "ctrl_c"),
)
# Of an operation in a world that has this kind of fault; assumed, so that commands still get far.
RATES = {
    "errors": 0.03,
    "lost_answers": 0.03,
    "bad_sync": 0.05,
    "flips": 0.04,
    "rot": 0.01,
    "stale": 0.5,
    "killed_workers": 0.03,
    "hangs": 0.01,
    "cut_off": 0.015,
    "killed_drivers": 0.01,
    "power": 0.015,
    "head": 0.004,
    "ctrl_c": 0.006,
}
LONG_S = 30.0  # of an outage or a full disk: some retries outlast it, some do not


class Weather:
    """The faults of a world. In fair weather nothing fails; what is damaged stays so."""

    def __init__(self, draw: Random, only: tuple[str, ...] | None = None) -> None:
        self._draw = draw
        drawn = draw.sample(KINDS, draw.choice((1, 2, 3, 4, 6, 9)))  # few let more be stored
        self.kinds = {*(drawn if only is None else only)}
        self.fair = False
        self._until = {"full": 0.0, "outages": 0.0}

    def strikes(self, kind: str) -> bool:
        """Draw whether a fault of this kind happens now."""
        if self.fair or kind not in self.kinds:
            return False
        return self._draw.random() < RATES[kind]

    def lasts(self, kind: str, now: float) -> bool:
        """Tell whether a fault is there that lasts for some time, now and then."""
        if self.fair or kind not in self.kinds:
            return False
        if now > self._until[kind] + LONG_S and self._draw.random() < 0.05:
            self._until[kind] = now + LONG_S * self._draw.random()
        return now < self._until[kind]


def request(world: Any, text: str, change: Callable[[], Any]) -> Any:
    """Make a request that may fail before it does anything, or after, with its answer lost."""
    world.step(text)
    if world.weather.strikes("errors") or world.weather.lasts("outages", world.now):
        world.note("  fails: input/output error")
        raise OSError(errno.EIO, f"simulated input/output error: {text}")
    answer = change()
    if world.weather.strikes("lost_answers"):
        world.note("  is done, and the answer is lost")
        raise OSError(errno.ETIMEDOUT, f"simulated lost answer: {text}")
    return answer


def flipped(draw: Random, body: bytes) -> bytes:
    """Return bytes with one bit changed."""
    if not body:
        return body
    changed = bytearray(body)
    changed[draw.randrange(len(body))] ^= 1 << draw.randrange(8)
    return bytes(changed)
