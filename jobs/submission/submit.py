"""Submit a study to a cluster as a Ray job, as `ray job submit -- python -m jobs.sweep` does.

The code of this project travels as it is here, with the study's file if it has one. The head must
be able to reach the place that `--out` names.
"""

import asyncio
import hashlib
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import requests
from ray.job_submission import JobDetails

import analysis
import jobs
import scaling
from jobs.execution.connect import has_secret, settings
from jobs.submission.head import Head, reach
from scaling.errors import InputError
from scaling.store.rows import provenance
from scaling.store.store import check_uri
from scaling.study import Study

AGAIN_S = 1.0  # assumed: between looks at a job whose log says nothing, or at a head not ready
READY_S = 60.0  # assumed: two busy cores took 25 s from `ray start` until the head took a job
NOT_READY = "No available agent"  # Ray's answer until then, each after 10 s
AGENT_HINT = (
    "where another Ray of that machine has the port of its agent, `ray start` it with"
    " --dashboard-agent-listen-port=0"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The request to the cluster, and the id by which a later request finds it."""

    id: str
    entrypoint: str
    out: str


def submit(
    study: Study, words: Sequence[str], *, out: str | None, address: str | None, wait: bool
) -> int:
    """Submit a study to a Ray cluster as a job; return the exit status.

    `words`: the study's name or file as the user gave it, then the options of the sweep.
    """
    named, *options = words
    if out:
        check_uri(out)
    head = reach(address)
    out = results_location(out, study.name, head)
    file = Path(named) if named.endswith(".py") else None
    module = ["-m", "jobs.sweep", f"study/{file.name}" if file else named, "--out", out]
    python = sys.executable if head.here else "python"  # of an environment that has our packages
    wanted = Submission(
        id=submission_id(study.name, out),
        entrypoint=shlex.join([python, *module, *options]),
        out=out,
    )
    attempts = attempts_of(wanted.id, head.client.list_jobs())
    last = attempts[-1] if attempts else None
    if last and not last.status.is_terminal():
        if last.entrypoint != wanted.entrypoint:
            raise InputError(
                f"{last.submission_id} is writing to {out} already, as `{last.entrypoint}`: wait"
                f" for it, or `ray job stop {last.submission_id} --address {head.url}`"
            )
        number, name = len(attempts), str(last.submission_id)
        print(f"{name} is running already (attempt {number}), results in {out}", flush=True)
    else:
        number = len(attempts) + 1
        name = _start(head, wanted, number, file)
        after = f" after {last.status.value.lower()}" if last else ""
        print(f"{name} submitted (attempt {number}{after}), results in {out}", flush=True)
    if wait:
        return follow(head, name)
    print(
        f"follow it: ray job logs --follow {name} --address {head.url}\n"
        f"how far it is: scaling status {shlex.quote(out)} --watch"
    )
    return 0


def results_location(out: str | None, study: str, head: Head) -> str:
    """Return the place of the results as the head names it. Raises InputError if it cannot."""
    if out and ("://" in out or (Path(out).is_absolute() and not head.here)):
        return out
    if head.here:
        return str(Path(out or f"results/{study}").absolute())
    got = f"--out {out} is a relative name" if out else "submit needs --out URI"
    raise InputError(
        f"{got}, but the head at {head.url} is another machine: name a URI such as"
        " s3://bucket/path, or the absolute path of a folder there"
    )


def submission_id(study: str, out: str) -> str:
    """Return an id that depends on the study and the place of its results only."""
    return f"{study}-{hashlib.sha256(out.encode()).hexdigest()[:10]}"


def attempts_of(name: str, found: Sequence[JobDetails]) -> list[JobDetails]:
    """Return the jobs of one id in the order of their attempts: NAME, NAME-2, NAME-3 ..."""
    pattern = re.compile(rf"{re.escape(name)}(?:-(\d+))?")
    matches = [(pattern.fullmatch(job.submission_id or ""), job) for job in found]
    numbered = {int(match[1] or 1): job for match, job in matches if match}
    return [numbered[number] for number in sorted(numbered)]


def _start(head: Head, wanted: Submission, number: int, file: Path | None) -> str:
    """Send the code, start the job and return its id."""
    name = wanted.id if number == 1 else f"{wanted.id}-{number}"
    with tempfile.TemporaryDirectory(prefix="scaling-submit-") as folder:
        copy_code(Path(folder), file)
        asked: dict[str, Any] = {
            "entrypoint": wanted.entrypoint,
            "submission_id": name,
            "runtime_env": {"working_dir": folder, "env_vars": environment(head.here)},
            "metadata": {"out": wanted.out},
        }
        began = time.monotonic()
        while True:
            try:
                return str(head.client.submit_job(**asked))
            except (RuntimeError, requests.RequestException) as error:
                reason = " ".join(str(error).split())[-200:]
                if NOT_READY not in reason or time.monotonic() - began > READY_S:
                    hint = f"; {AGENT_HINT}" if NOT_READY in reason else ""
                    message = f"{head.url} did not take the job {name} ({reason}){hint}"
                    raise InputError(message) from error
            print("waiting for the head, which takes no job yet", file=sys.stderr)
            time.sleep(AGAIN_S)


def copy_code(folder: Path, file: Path | None) -> None:
    """Copy the code and the study's file into `folder`: no data, no results, no file with keys."""
    for package in (scaling, jobs, analysis):
        source = Path(str(package.__file__)).parent
        shutil.copytree(
            source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__", ".*")
        )
    if file:
        (folder / "study").mkdir()
        shutil.copy(file, folder / "study")


def environment(here: bool) -> dict[str, str]:
    """Return our own variables for the job; those of folders only where the head is `here`."""
    ours = {name: value for name, value in settings().items() if here or name[-4:] != "_DIR"}
    if has_secret(os.environ.get("SCALING_MIRRORS", "")):
        print(
            "scaling: SCALING_MIRRORS may hold a password and does not travel: set it on each node",
            file=sys.stderr,
        )
    commit = provenance()["git_commit"]  # the copy that travels knows none
    return ours | ({"SCALING_GIT_COMMIT": commit} if commit else {})


def follow(head: Head, name: str) -> int:
    """Print a job's log until it ends; return its exit status. Ctrl-C leaves the job running."""
    try:
        asyncio.run(_print_log(head, name))
        return exit_status(head.client.get_job_info(name))
    except KeyboardInterrupt:
        print(
            f"\nscaling: {name} goes on: the same command follows it again,"
            f" `ray job stop {name} --address {head.url}` stops it",
            file=sys.stderr,
        )
        return 130
    except (requests.RequestException, RuntimeError, ConnectionError) as error:
        raise InputError(
            f"the head at {head.url} answers no more ({' '.join(str(error).split())[:120]}):"
            f" {name} may go on; what it stored stays, the same command looks again"
        ) from error


async def _print_log(head: Head, name: str) -> None:
    """Print the log, once, through connections that break and are made again."""
    printed = 0
    while True:
        seen = 0
        try:
            async for text in head.client.tail_job_logs(name):
                new = text[max(printed - seen, 0) :]
                seen += len(text)
                printed = max(printed, seen)
                print(new, end="", flush=True)
        except (RuntimeError, aiohttp.ClientError):
            pass  # the next line raises it again if it persists
        if head.client.get_job_status(name).is_terminal():
            return
        await asyncio.sleep(AGAIN_S)


def exit_status(job: Any) -> int:
    """Return 0, 1 or 2 as the sweep ended; print a line and return 1 if it was killed."""
    if job.status == "SUCCEEDED":
        return 0
    if job.driver_exit_code not in (1, 2):
        reason = " ".join((job.message or "").split())[:200]
        print(
            f"scaling: {job.submission_id} {job.status.lower()} ({reason}):"
            " the same command starts the next attempt, which trains what is not stored",
            file=sys.stderr,
        )
        return 1
    return int(job.driver_exit_code)
