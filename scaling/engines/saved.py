"""A training that can go on later from where it is: arrays, and what is said of them. No pickle."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scaling.engines.result import Evaluation, Score

Arrays = Mapping[str, NDArray[Any]]
SAID = "said"  # the name of the array that holds everything that is none, as JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """After an epoch: what its members have been through so far, in their order.

    There is no random state: all draws are counted (scaling/data/counter_rng.py), and the epoch
    tells how far. Times are those of `Evaluation`.
    """

    epoch: int
    wall_s: float
    cpu_s: float
    histories: tuple[tuple[Evaluation, ...], ...]
    failures: tuple[str | None, ...]  # of members that are no numbers any more
    arrays: Arrays  # the engine's own: weights, optimizer


class Keeper(Protocol):
    """Where the state of one training is kept from time to time, and found again."""

    def load(self) -> Saved | None:
        """The last state that was kept; None if there is none that can be trusted."""

    def save_if_due(self, saved: Callable[[], Saved]) -> None:
        """Keep this state, if the last that was kept is old enough."""

    def remove(self) -> None:
        """Keep nothing any more: the results are stored."""


def to_bytes(saved: Saved, stamp: Mapping[str, Any]) -> bytes:
    """An .npz file of a state, and of what tells whose it is."""
    said = {
        "stamp": stamp,
        "epoch": saved.epoch,
        "wall_s": saved.wall_s,
        "cpu_s": saved.cpu_s,
        "histories": [[asdict(evaluation) for evaluation in h] for h in saved.histories],
        "failures": saved.failures,
    }
    body = io.BytesIO()
    text = np.frombuffer(json.dumps(said).encode(), np.uint8)
    arrays: dict[str, Any] = {SAID: text} | {f"_{k}": v for k, v in saved.arrays.items()}
    np.savez(body, **arrays)
    return body.getvalue()


def from_bytes(body: bytes) -> tuple[Saved, dict[str, Any]]:
    """The inverse; raises ValueError, KeyError, OSError or zipfile.BadZipFile for a torn file."""
    with np.load(io.BytesIO(body), allow_pickle=False) as file:
        arrays = {name[1:]: file[name] for name in file.files if name != SAID}
        said = json.loads(file[SAID].tobytes())
    saved = Saved(
        epoch=said["epoch"],
        wall_s=said["wall_s"],
        cpu_s=said["cpu_s"],
        histories=tuple(tuple(map(_evaluation, history)) for history in said["histories"]),
        failures=tuple(said["failures"]),
        arrays=arrays,
    )
    return saved, said["stamp"]


def _evaluation(plain: Mapping[str, Any]) -> Evaluation:
    scores = {
        part: Score(**plain[part]) if plain[part] else None for part in ("train", "val", "test")
    }
    return Evaluation(**{**plain, **scores})
