"""Keep Ray to its user: a folder that nobody else can enter, loopback, and no foreign modules.

Ray opens its folders to all users (mode 0777). Who can write there replaces the code of a job, and
its sockets ask for no token. So they lie in a folder that only the user can enter.
"""

import logging
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import ray  # noqa: F401  brings psutil

import jobs
from jobs.execution.auth_token import keep_private, provide
from scaling.cache import cache_dir
from scaling.errors import InputError

POSIX = os.name == "posix"
# measured: "/ray/session_2026-11-28_02-23-59_123456_1234567/sockets/plasma_store"
ADDED = 68
MOST = 107 if sys.platform.startswith("linux") else 103  # cited: unix(7); bytes of a socket's path
STARTS = ("start", "symmetric-run")  # Ray's commands that make a folder
LOOPBACK = "--node-ip-address=127.0.0.1"
NO_CLUSTERS = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # see guarded


def private_folder() -> Path:
    """Return the folder that holds Ray's own, RAY_TMPDIR or one by the user's number; make it.

    Raises InputError where it cannot be made, or others could enter, replace or redirect it.
    """
    named = os.environ.get("RAY_TMPDIR")
    folder = Path(named) if named else _shared_folder() / _name()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        why = _exposed(folder) if POSIX else ""
    except OSError as error:
        why = f"cannot be used ({error.strerror or error})"
    if not why and len(os.fsencode(folder.absolute())) + ADDED > MOST:
        why = f"is too long a name, as Ray adds {ADDED} bytes and a socket's path has {MOST}"
    if why:
        raise InputError(
            f"the folder of Ray's sessions, {folder}, {why}: expected a folder of yours that only"
            " you can enter (chmod 700); name one in RAY_TMPDIR"
        )
    return folder.absolute()


def sessions() -> str:
    """Return Ray's own folder in the private one, as Ray names it by RAY_TMPDIR."""
    return str(private_folder() / "ray")


def running_head() -> str | None:
    """Return the address of the cluster of this user on this machine, and let it see the token.

    A file has the address. It may be left over from a cluster that was killed, or be another
    user's: so a process of this user must belong to that cluster too. Ray's own "auto" would join
    any cluster of the machine. Without RAY_AUTH_MODE it shows the token to what it finds only.
    """
    from ray._common.utils import get_default_ray_temp_dir
    from ray._private.authentication import authentication_token_setup as token_setup

    theirs = Path(get_default_ray_temp_dir())  # of a `ray start` without our command
    for folder in dict.fromkeys((Path(sessions()), theirs)):
        address = _read_own(folder / "ray_current_cluster")
        if address and any(_is_mine(found["uids"]) for found in _members(address)):
            logging.getLogger(token_setup.__name__).setLevel(logging.ERROR)
            token_setup.maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
            return address
    return None


@contextmanager
def guarded(address: str) -> Iterator[None]:
    """Let ray.init in a block keep to loopback, and import nothing from where we are.

    Ray replaces 127.0.0.1 by the machine's own address even where it is asked for, but for systems
    that have no clusters. A Ray that starts here (`local`), or a head that calls itself 127.0.0.1,
    needs it as it is. Workers import from the folder in which ray.init is called, before all
    others: a pandas.py among somebody's results would run in each of them. So the block is in the
    folder of this code.
    """
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER
    if address == "local" or any("--head" in found["cmdline"] for found in _members(address)):
        ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        with chdir(Path(jobs.__file__).parents[1]):
            yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def command(words: Sequence[str]) -> list[str]:
    """Return the call of a command of Ray with a private folder and token, and set both.

    Raises InputError where there is no such folder, or another is named.
    """
    if named := [word for word in words if word.split("=")[0] in ("--temp-dir", "--temp_dir")]:
        raise InputError(f"got {named[0]}: name the folder in RAY_TMPDIR, which is checked")
    os.environ["RAY_TMPDIR"] = str(private_folder())
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if "--head" in words or words[:1] == ["get-auth-token"]:
        provide()
    keep_private()
    if LOOPBACK in words:
        os.environ.update(NO_CLUSTERS)
    # A node takes the head's folder otherwise, which may have another name or be open there.
    folder = [f"--temp-dir={sessions()}"] if words[:1] and words[0] in STARTS else []
    return [sys.executable, "-P", "-m", "ray.scripts.scripts", *words[:1], *folder, *words[1:]]


def _shared_folder() -> Path:
    """Return a folder for temporary files in which nobody can rename another's; else the cache."""
    usual = [Path(place) for place in (os.environ.get("TMPDIR"), "/tmp") if place]
    for place in usual:
        fits = len(os.fsencode(place / _name())) + ADDED <= MOST
        if fits and os.access(place, os.W_OK) and not _lets_rename(place):
            return place
    return cache_dir()


def _name() -> str:
    return f"scaling-{os.geteuid()}" if hasattr(os, "geteuid") else "scaling"


def _exposed(folder: Path) -> str:
    """Return how others could get at a folder, empty if they cannot."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return "is a link or a file"
    if found.st_uid != os.geteuid():
        return f"belongs to another user (number {found.st_uid})"
    if found.st_mode & 0o077:
        return f"is open to others (mode {stat.S_IMODE(found.st_mode):04o})"
    if _lets_rename(folder.absolute().parent):
        return "lies where others may rename it"
    return ""


def _lets_rename(folder: Path) -> bool:
    """Tell whether all users may rename in a folder what is not theirs."""
    mode = folder.stat().st_mode
    return POSIX and bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def _members(address: str) -> Iterator[dict[str, Any]]:
    """Yield words and user of each process on this machine that calls its cluster's head so."""
    import psutil

    flag = f"--gcs-address={address}"
    for process in psutil.process_iter(["cmdline", "uids"]):
        if flag in (process.info["cmdline"] or ()):
            yield process.info


def _read_own(path: Path) -> str | None:
    """Return the text of a file of this user; None for another's, a link or a missing one."""
    try:
        found = path.lstat()
        mine = not POSIX or (stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid())
        return path.read_text(encoding="utf-8").strip() or None if mine else None
    except OSError:
        return None


def _is_mine(uids: Any) -> bool:
    return not POSIX or (uids is not None and uids.effective == os.geteuid())
