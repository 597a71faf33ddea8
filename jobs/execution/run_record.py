"""Record the predicted and the actual cost of a sweep in OUT/runs/*.json, beside its results."""

import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from jobs.planning.batches import Batch, Slots, work
from jobs.planning.placement import OVERHEAD, expected
from scaling.store.store import Store, now


@contextmanager
def record_run(
    store: Store, study: str, batches: Sequence[Batch], slots: Slots, device: str, command: str
) -> Iterator[None]:
    """Write the predicted cost, and the actual one when the block ends, which a kill prevents.

    Units: seconds.
    """
    began = now()
    record = {
        "study": study,
        "command": command,
        "host": socket.gethostname(),
        "device": device,
        "cpus": slots.cpu,
        "gpus": slots.gpu,
        "trials": len(batches),
        "models": sum(batch.n_models for batch in batches),
        "predicted_core_s": round(work(batches, "cpu"), 3),
        "predicted_gpu_s": round(work(batches, "cuda"), 3),
        "predicted_wall_s": round(expected(batches, slots).makespan, 3),
        "overhead": asdict(OVERHEAD),
        "started_at": began.isoformat(),
        "wall_s": None,
    }
    name = f"runs/{began:%Y%m%dT%H%M%S}-{study}-{uuid.uuid4().hex[:6]}.json"
    store.write_json(name, record)
    yield
    record["wall_s"] = round((now() - began).total_seconds(), 3)
    store.write_json(name, record)
