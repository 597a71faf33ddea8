"""The state of an interrupted training as bytes: arrays and JSON, no pickle."""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scaling.engines.result import Evaluation, Score

Arrays = Mapping[str, NDArray[Any]]
DIGEST = 32  # bytes of SHA-256, after the archive
METADATA = "metadata"  # the name of the array that holds everything else, as JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingState:
    """The state after an epoch, with the members' histories and failures in their order.

    It holds no random state, as the epoch determines all draws (scaling/data/counter_rng.py). Times
    are those of `Evaluation`.
    """

    epoch: int
    wall_s: float
    cpu_s: float
    histories: tuple[tuple[Evaluation, ...], ...]
    failures: tuple[str | None, ...]  # of members with NaN or infinite weights
    arrays: Arrays  # the engine's own: weights, optimizer


class Checkpointer(Protocol):
    """Saves the state of one training from time to time and loads it again."""

    def load(self) -> TrainingState | None:
        """Return the last saved state; None if it is missing or cannot be trusted."""

    def save_if_due(self, saved: Callable[[], TrainingState]) -> None:
        """Save this state if the last one is old enough."""

    def remove(self) -> None:
        """Remove the saved state, once the results are stored."""


def to_bytes(saved: TrainingState, stamp: Mapping[str, Any]) -> bytes:
    """Return an .npz file of a state and its stamp, which identifies the training, and a digest."""
    metadata = {
        "stamp": stamp,
        "epoch": saved.epoch,
        "wall_s": saved.wall_s,
        "cpu_s": saved.cpu_s,
        "histories": [[asdict(evaluation) for evaluation in h] for h in saved.histories],
        "failures": saved.failures,
    }
    body = io.BytesIO()
    text = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
    arrays: dict[str, Any] = {METADATA: text} | {f"_{k}": v for k, v in saved.arrays.items()}
    np.savez(body, **arrays)
    return body.getvalue() + hashlib.sha256(body.getvalue()).digest()


def from_bytes(body: bytes) -> tuple[TrainingState, dict[str, Any]]:
    """Return the state and the stamp of a file.

    Raises ValueError for a damaged file, which zipfile and NumPy would meet with errors of many
    kinds.
    """
    archive, digest = body[:-DIGEST], body[-DIGEST:]
    if hashlib.sha256(archive).digest() != digest:
        raise ValueError("it is not what was written")
    with np.load(io.BytesIO(archive), allow_pickle=False) as file:
        arrays = {name[1:]: file[name] for name in file.files if name != METADATA}
        metadata = json.loads(file[METADATA].tobytes())
    saved = TrainingState(
        epoch=metadata["epoch"],
        wall_s=metadata["wall_s"],
        cpu_s=metadata["cpu_s"],
        histories=tuple(tuple(map(_evaluation, history)) for history in metadata["histories"]),
        failures=tuple(metadata["failures"]),
        arrays=arrays,
    )
    return saved, metadata["stamp"]


def _evaluation(plain: Mapping[str, Any]) -> Evaluation:
    scores = {
        part: Score(**plain[part]) if plain[part] else None for part in ("train", "val", "test")
    }
    return Evaluation(**{**plain, **scores})
