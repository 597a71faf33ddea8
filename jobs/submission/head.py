"""Reach a cluster's head through its job server, and tell whether the head is this machine."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import ray.exceptions
import requests
from ray._private.authentication import authentication_token_setup as token_setup
from ray._private.authentication.http_token_authentication import get_auth_headers_if_auth_enabled
from ray._private.runtime_env import packaging
from ray.dashboard.modules import dashboard_sdk
from ray.dashboard.modules.job import sdk
from ray.job_submission import JobSubmissionClient

from jobs.execution.auth_token import keep_private
from jobs.execution.probe import TOKEN_ADVICE
from scaling.errors import InputError

DEFAULT = "http://127.0.0.1:8265"  # where `ray start --head` and `ray dashboard` put it
ANSWER_S = 10.0  # assumed: a job server that takes longer is no use


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A job server that answers."""

    url: str
    client: JobSubmissionClient
    here: bool  # the head is this machine: its folders are ours


def reach(address: str | None) -> Head:
    """Return the head at an address, or else at that of the environment, or on this machine.

    Raises InputError where none answers, where it wants another token, or is no Ray.
    """
    url = url_of(address)
    for chatty in (dashboard_sdk, packaging, sdk, token_setup):
        logging.getLogger(chatty.__name__).setLevel(logging.ERROR)
    try:
        session = _session(url)
        with _address_in_environment(url):
            client = JobSubmissionClient(url)
    except ray.exceptions.AuthenticationError:  # asked for before anything is sent
        raise InputError(f"there is no token to show to {url}: {TOKEN_ADVICE}") from None
    except requests.Timeout as error:
        raise _no_answer(url, f"no answer in {ANSWER_S:g} s") from error
    except (requests.ConnectionError, ConnectionError) as error:
        raise _no_answer(url, "no connection") from error
    except (requests.RequestException, RuntimeError) as error:
        raise _no_answer(url, " ".join(str(error).split())[:120]) from error
    keep_private()
    return Head(url=url, client=client, here=_runs_here(session))


def url_of(address: str | None) -> str:
    """Return the URL: the flag, else the variable of Ray's own commands, else this machine."""
    given = address or os.environ.get("RAY_API_SERVER_ADDRESS") or DEFAULT
    url = given if "://" in given else f"http://{given}"
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number
        good = False
    if not good:
        raise InputError(
            f"--address {given}: expected the URL of a cluster's dashboard such as {DEFAULT}"
        )
    return url.rstrip("/")


def _session(url: str) -> str:
    """Return the name of the head's Ray session, with a time-out that Ray's client lacks.

    Without RAY_AUTH_MODE, `ray start` wants the token that is in the user's file, if there is one,
    and ray.init shows it; Ray's client of jobs does not. Hence private functions.
    """

    def ask() -> requests.Response:
        headers = get_auth_headers_if_auth_enabled({})
        return requests.get(f"{url}/api/version", headers=headers, timeout=ANSWER_S)

    answer = ask()
    if answer.status_code == 401 and token_setup.maybe_enable_token_auth_if_token_available(
        warn_if_disabled=False
    ):
        answer = ask()
    if answer.status_code in (401, 403):
        wants = "wants a token" if answer.status_code == 401 else "takes another token than ours"
        raise InputError(f"the cluster at {url} {wants} ({answer.status_code}): {TOKEN_ADVICE}")
    try:
        return str(answer.json()["session_name"])
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"what answers at {url} ({answer.status_code}) is no Ray dashboard: expected the URL"
            f" that `ray start --head` prints, such as {DEFAULT}"
        ) from None


def _runs_here(session: str) -> bool:
    """Tell whether the head's process is on this machine, and not in a container on it.

    A loopback address is no proof: behind it may be a tunnel to a cloud.
    """
    import psutil  # Ray brings it, once it is imported

    flag = f"--session-name={session}"
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if flag in words and "gcs_server" in words[0]:
            return not _in_container(process.pid)
    return False


def _in_container(pid: int) -> bool:
    """Tell whether a process has other files than we; for another user's, other process numbers.

    Return False where neither is known: on systems that hide their containers.
    """
    process = Path(f"/proc/{pid}")
    try:
        return (process / "ns/mnt").readlink() != Path("/proc/self/ns/mnt").readlink()
    except OSError:  # another user's
        pass
    try:
        status = (process / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    numbers = re.findall(r"^NSpid:(.*)", status, flags=re.MULTILINE)
    return any(len(found.split()) > 1 for found in numbers)


@contextmanager
def _address_in_environment(url: str) -> Iterator[None]:
    """Set the address in the environment, which overrules the argument of Ray's client."""
    before = os.environ.get("RAY_API_SERVER_ADDRESS")
    os.environ["RAY_API_SERVER_ADDRESS"] = url
    try:
        yield
    finally:
        if before is None:
            del os.environ["RAY_API_SERVER_ADDRESS"]
        else:
            os.environ["RAY_API_SERVER_ADDRESS"] = before


def _no_answer(url: str, why: str) -> InputError:
    return InputError(
        f"no Ray cluster answers at {url} ({why}): start one with `scaling ray start --head`, or"
        " name another with --address"
    )
