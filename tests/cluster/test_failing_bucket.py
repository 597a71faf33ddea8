"""Sweep a thousand models of a second into a bucket that fails 30 % of all requests.

`pytest -m slow -s` prints the lines that a user sees. SCALING_FAILING_MODELS makes it shorter.
"""

import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from buckets import s3_server
from tiny import tiny

from jobs.execution.sweep import Options, sweep
from jobs.planning.batches import MOST_S
from scaling.store.store import Store

MODELS = int(os.environ.get("SCALING_FAILING_MODELS", "1000"))
FAULTS = ("busy", "reset", "reset after")
SHARE = 0.3


@pytest.fixture(scope="module")
def keys() -> Iterator[None]:
    """Set the keys before Ray begins: each node has its own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "somebody")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("keys", "local_ray")
def test_every_model_is_stored_though_a_third_of_all_requests_fails(
    rows_npz: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    study, jobs = tiny(
        rows_npz, n_train=(250,), recipe=("1989",), epochs=(1300,), seeds=tuple(range(MODELS))
    )
    luck, said, failed = random.Random(0), list[str](), Counter[str]()

    def fault(_: str) -> str | None:
        chosen = luck.choice(FAULTS) if luck.random() < SHARE else None
        failed[chosen or "answered"] += 1
        return chosen

    with s3_server() as bucket:
        bucket.fault = fault
        store = Store(bucket.uri("failing"))
        options = Options(address="local", cpus=2)
        # so that every model is a batch of its own
        state = sweep(
            study, jobs, store, options, said.append, cost=lambda job, *_: MOST_S * len(job.members)
        )
        bucket.fault = lambda _: None
        contents = store.contents()
    lines = said + capfd.readouterr().err.splitlines()
    kinds = Counter(re.sub(r"\d+", "9", line)[:150] for line in lines)
    with capfd.disabled():
        print(f"\n{dict(failed)}")
        for kind, times in kinds.most_common(25):
            print(f"{times:5} {kind}")
    assert len(state.finished) == MODELS
    assert (contents.corrupt, contents.misplaced) == ((), ())
    assert failed["answered"] > failed["busy"] > 0
    assert any("storage failed" in line for line in lines)
    assert not any("Traceback" in line for line in lines)
