"""Connect to Ray: join the cluster that runs, or start one on this machine."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Our own Parquet and progress line take the place of Tune's loggers and tables, which only the
# environment can turn off; the last is Ray's own advice against its warning about hidden GPUs.
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray

from jobs.execution import own_ray
from jobs.execution.auth_token import keep_private, provide
from scaling.engines import available_cores
from scaling.errors import InputError

logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # we name failures, one line each
ANSWER_S = 10.0  # assumed: a cluster that takes longer to accept a connection is no use
OBJECT_STORE_BYTES = 100 * 2**20  # nothing large goes through it
# What trials read of SCALING_... in the environment. Nothing else travels: it may be a secret.
FORWARDED = "CACHE_DIR CHECKPOINT_S DATA_DIR FAKE_GPU GIT_COMMIT MIRRORS OFFLINE US_PER_EXAMPLE"


@contextmanager
def connected(address: str, cpus: int | None = None) -> Iterator[str]:
    """Connect to Ray for the time of a block; yield words for which Ray that is.

    `auto` joins a running cluster (of this machine, or the one whose job this is) and else starts
    one here with `cpus` cores; `local` always starts one; anything else is a cluster's address.
    Raises InputError if that cluster does not answer.
    """
    started = "a local Ray"
    if ray.is_initialized():
        yield "the Ray of this process"
        return
    if address == "auto" and not os.environ.get("RAY_ADDRESS"):
        address = own_ray.running_head() or "local"
    if address == "local":
        provide()
        sessions = own_ray.sessions()
        with own_ray.guarded(address):
            ray.init(
                address="local",
                num_cpus=cpus or available_cores(),
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=sessions,
            )
    else:
        keep_private()
        try:
            _knock(address)
            named = os.environ.get("RAY_ADDRESS", "") if address == "auto" else address
            with own_ray.guarded(named):
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError(
                f"no Ray cluster answers at '{address}' ({' '.join(str(error).split())[:200]}):"
                " start one with `scaling ray start --head`, or use --address local"
            ) from error
        started = f"the Ray cluster at {ray.get_runtime_context().gcs_address}"
    try:
        yield started
    finally:
        ray.shutdown()


def check_shared(out: str, is_local: bool, shared_fs: bool, grows: bool = False) -> None:
    """Raise InputError for results in a local folder when several nodes would write to it.

    `grows`: an autoscaler may add nodes.
    """
    alive = sum(node["Alive"] for node in ray.nodes())
    if is_local and (alive > 1 or grows) and not shared_fs:
        nodes = "an autoscaler that adds nodes" if grows else f"{alive} nodes"
        raise InputError(
            f"--out {out} is a local folder and the cluster has {nodes}: name a URI such as"
            " s3://bucket/path, or say --shared-fs if every node sees that folder"
        )


def settings() -> dict[str, str]:
    """Return our own environment variables, which workers of a running cluster would not have.

    They go to trials as an argument: a Ray job's runtime environment cannot be added to. Folders
    are made absolute, as trials work in folders of their own. Mirrors with a password stay here.
    """
    names = [f"SCALING_{name}" for name in FORWARDED.split()]
    ours = {name: os.environ[name] for name in names if name in os.environ}
    if has_secret(ours.get("SCALING_MIRRORS", "")):
        del ours["SCALING_MIRRORS"]
    return {
        name: str(Path(value).absolute()) if name.endswith("_DIR") and value else value
        for name, value in ours.items()
    }


def has_secret(mirrors: str) -> bool:
    """Tell whether the addresses of mirrors may have a user, a password or a token in them."""
    return any(mark in mirrors for mark in "@?#")


def _knock(address: str) -> None:
    """Raise OSError where nothing listens at HOST:PORT: Ray would wait for minutes (measured)."""
    named = os.environ.get("RAY_ADDRESS", "") if address == "auto" else address
    host, colon, port = named.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()
