"""Connect to Ray: join the cluster that runs, or start one on this machine."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Our own Parquet and progress line take the place of Tune's loggers and tables, which only the
# environment can turn off; the last is Ray's own advice against its warning about hidden GPUs.
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # it would end the trials, not us

import ray

from jobs.execution import own_ray, stopping
from jobs.execution.auth_token import keep_private, provide
from jobs.execution.head_watch import HeadLost
from jobs.execution.probe import check_head
from scaling.engines import available_cores
from scaling.errors import InputError

# Ray prints 20 lines of its logs for a lost worker or node; we name the trial, in one.
ray._private.worker.listen_error_messages = lambda *_, **__: None
logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # we name failures, one line each
SHUTDOWN_S = 10.0  # assumed: of a Ray whose head is lost
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
    theirs = stopping.children()
    if address == "local":
        provide()
        sessions = own_ray.sessions()
        with own_ray.guarded(address), _signals_kept(), _start_told(sessions):
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
        named = os.environ.get("RAY_ADDRESS", "") if address == "auto" else address
        try:
            check_head(named, auto=address == "auto")
            with own_ray.guarded(named), _signals_kept():
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError(
                f"no Ray cluster answers at '{named}' ({' '.join(str(error).split())[:200]}):"
                " start one with `scaling ray start --head`, or use --address local"
            ) from error
        started = f"the Ray cluster at {ray.get_runtime_context().gcs_address}"
    ours, wait_s = stopping.children() - theirs, None
    try:
        yield started
    except HeadLost:
        wait_s = SHUTDOWN_S
        raise
    finally:
        _shut_down(wait_s)
        stopping.kill(ours)  # what is left of a Ray that was stopped or killed


def _shut_down(wait_s: float | None) -> None:
    """Leave Ray; after a loss of its head in so many seconds, or else when this process ends."""
    if wait_s is None:
        ray.shutdown()
        return
    leaving = threading.Thread(target=ray.shutdown, daemon=True)
    leaving.start()
    leaving.join(wait_s)
    stopping.set_broken()  # Ray would wait again when the interpreter ends


@contextmanager
def _start_told(folder: str) -> Iterator[None]:
    """Raise InputError where a local Ray cannot start, after ending those parts of it that did."""
    theirs = stopping.children()
    try:
        yield
    except BaseException as error:
        ours = stopping.children() - theirs
        ray.shutdown()
        stopping.kill(ours)
        if not isinstance(error, Exception):  # Ray raises that very class, among others
            raise
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"no Ray could start on this machine ({text}): see that {folder} has room, can be"
            " written and locks files, and that the machine is not too busy, or name"
            " another folder in RAY_TMPDIR, or a cluster with --address"
        ) from error


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep our handlers of signals, where we have some, while Ray starts.

    Ray replaces them by one that ends the process in silence, and then, as it connects, by one that
    dumps the stack. There are no public switches, hence private names.
    """
    if not stopping.installed():
        yield
        return
    connect, set_handler = ray._private.worker.connect, ray._private.utils.set_sigterm_handler

    def quietly(*args: Any, **kwargs: Any) -> None:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, stopping.SIGNALS)
        try:
            connect(*args, **kwargs)
        finally:
            stopping.take_signals()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    ray._private.worker.connect, ray._private.utils.set_sigterm_handler = quietly, lambda _: None
    try:
        yield
    finally:
        ray._private.worker.connect, ray._private.utils.set_sigterm_handler = connect, set_handler


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
