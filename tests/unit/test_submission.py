"""Test submission without a cluster: names, places, code, the log."""

import argparse
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from ray.job_submission import JobStatus

from jobs.cli.commands import build_parser
from jobs.cli.main import main
from jobs.submission import head as head_module
from jobs.submission import submit as submit_module
from jobs.submission.head import Head, _runs_here, url_of
from jobs.submission.submit import (
    attempts_of,
    copy_code,
    environment,
    exit_status,
    follow,
    results_location,
    submission_id,
)
from scaling.errors import InputError


@dataclass
class Client:
    """Simulate Ray's client for a submission; `log` comes in pieces that may break off."""

    jobs: list[Any] = field(default_factory=list)
    log: list[list[str]] = field(default_factory=list)
    sent: dict[str, Any] = field(default_factory=dict)
    code: int = 0
    refusals: list[str] = field(default_factory=list)

    def list_jobs(self) -> list[Any]:
        return self.jobs

    def submit_job(self, **what: Any) -> str:
        if self.refusals:
            raise RuntimeError(self.refusals.pop(0))
        self.sent = what
        self.sent["files"] = sorted(
            p.name for p in Path(what["runtime_env"]["working_dir"]).iterdir()
        )
        return str(what["submission_id"])

    async def tail_job_logs(self, _: str) -> AsyncIterator[str]:
        for piece in self.log.pop(0):
            yield piece
        if self.log:
            raise RuntimeError("connection closed")

    def get_job_status(self, _: str) -> JobStatus:
        return JobStatus.RUNNING if self.log else JobStatus.SUCCEEDED

    def get_job_info(self, name: str) -> Any:
        return job(name, JobStatus.FAILED if self.code else JobStatus.SUCCEEDED, code=self.code)


def job(name: str, status: JobStatus, entrypoint: str = "", code: int | None = None) -> Any:
    return SimpleNamespace(
        submission_id=name, status=status, entrypoint=entrypoint, driver_exit_code=code, message=""
    )


def head(client: Client | None = None, *, here: bool = True) -> Head:
    return Head(url="http://127.0.0.1:1", client=client or Client(), here=here)  # type: ignore[arg-type]


def parsed(*words: str) -> argparse.Namespace:
    return build_parser().parse_args(["submit", *words])


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Client:
    """Simulate a head on this machine that accepts every submission."""
    found = Client()
    monkeypatch.setattr(submit_module, "reach", lambda _: head(found))
    monkeypatch.setattr(submit_module, "AGAIN_S", 0.0)
    monkeypatch.chdir(tmp_path)
    return found


def test_results_go_where_the_head_will_find_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    far = head(here=False)
    assert results_location(None, "ladder", head()) == str(tmp_path / "results/ladder")
    assert results_location("mine", "ladder", head()) == str(tmp_path / "mine")
    for out in ("s3://bucket/x", "/shared/x"):
        assert (
            results_location(out, "ladder", head()) == results_location(out, "ladder", far) == out
        )
    for out in (None, "mine"):
        with pytest.raises(InputError, match=r"another machine.*s3://"):
            results_location(out, "ladder", far)


def test_every_option_is_passed_on_as_the_sweep_takes_it(client: Client, tmp_path: Path) -> None:
    options = ["--cpus", "3", "--retry-failed", "--n-train", "30,60", "--width", "0.5", "2"]
    assert main(["submit", "quickstart", "--n-test", "all", "50", *options]) == 0
    words = client.sent["entrypoint"].split()
    assert words[1:4] == ["-m", "jobs.sweep", "quickstart"]
    swept = build_parser().parse_args(["sweep", *words[3:]])
    asked = parsed("quickstart", "--n-test", "all", "50", *options)
    for name, value in vars(asked).items():
        if name not in ("out", "address", "wait", "run"):
            assert getattr(swept, name) == value, name
    assert swept.out == str(tmp_path / "results/quickstart")


def test_a_study_of_ones_own_travels_with_the_code_and_nothing_else_does(
    client: Client, tmp_path: Path
) -> None:
    text = (Path(submit_module.__file__).parents[1] / "studies" / "quickstart.py").read_text()
    (tmp_path / "mine.py").write_text(text.replace('name="quickstart"', 'name="mine"'))
    (tmp_path / ".env").write_text("KEY=secret")
    assert main(["submit", "mine.py"]) == 0
    assert client.sent["files"] == ["analysis", "jobs", "scaling", "study"]
    assert " study/mine.py " in client.sent["entrypoint"]
    assert client.sent["submission_id"].startswith("mine-")
    copy_code(tmp_path / "sent", tmp_path / "mine.py")
    sent = {str(path.relative_to(tmp_path / "sent")) for path in (tmp_path / "sent").rglob("*")}
    assert {"study/mine.py", "jobs/sweep.py", "scaling/py.typed"} <= sent
    assert not [name for name in sent if "__pycache__" in name or "/." in name]
    assert sum(p.stat().st_size for p in (tmp_path / "sent").rglob("*")) < 10 * 2**20


def test_the_same_again_follows_the_running_job_or_is_the_next_attempt(
    client: Client, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["submit", "quickstart"]) == 0
    first = client.sent["submission_id"]
    said = capsys.readouterr().out
    assert f"{first} submitted (attempt 1), results in {tmp_path}/results/quickstart" in said
    assert f"ray job logs --follow {first} --address http://127.0.0.1:1" in said
    client.jobs = [job(first, JobStatus.RUNNING, client.sent["entrypoint"])]
    client.log, client.sent = [["done\n"]], {}
    assert main(["submit", "quickstart", "--wait"]) == 0
    assert not client.sent
    assert f"{first} is running already (attempt 1)" in capsys.readouterr().out
    assert main(["submit", "quickstart", "--seeds", "1"]) == 2
    assert f"{first} is writing to" in capsys.readouterr().err
    client.jobs = [job(first, JobStatus.FAILED), job(f"{first}-2", JobStatus.STOPPED)]
    assert main(["submit", "quickstart", "--seeds", "1"]) == 0
    assert client.sent["submission_id"] == f"{first}-3"
    assert "(attempt 3 after stopped)" in capsys.readouterr().out


def test_a_head_that_was_just_started_is_waited_for(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "Request failed with status code 500: No available agent to submit job, try later."
    client.refusals = [said, said]
    assert main(["submit", "quickstart", "--out", "results/mine"]) == 0
    assert client.sent
    assert "takes no job yet" in capsys.readouterr().err
    client.refusals = ["status code 500: disk full"]
    assert main(["submit", "quickstart", "--out", "results/mine"]) == 2
    monkeypatch.setattr(submit_module, "READY_S", -1.0)
    client.refusals = [said]
    assert main(["submit", "quickstart", "--out", "results/mine"]) == 2
    assert "did not take the job" in capsys.readouterr().err


def test_attempts_are_those_of_one_name_only() -> None:
    name = submission_id("ladder", "/out")
    assert name != submission_id("ladder", "/other")
    names = ["raysubmit_x", f"{name}-10", name, f"{name}-2", f"{name}-b", f"{name}1", f"x{name}"]
    jobs = [job(each, JobStatus.FAILED) for each in (*names, None)]
    assert [j.submission_id for j in attempts_of(name, jobs)] == [name, f"{name}-2", f"{name}-10"]


def test_a_log_is_told_once_through_broken_connections(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    client.log = [["a\n", "b\n"], ["a\n"], ["a\nb\nc", "\nd\n"]]
    assert follow(head(client), "x") == 0
    assert capsys.readouterr().out == "a\nb\nc\nd\n"
    client.log, client.code = [["e\n"]], 2
    assert follow(head(client), "x") == 2


def test_ctrl_c_stops_following_and_not_the_job(
    client: Client, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    client.log = [["a\n"]]
    monkeypatch.setattr(client, "get_job_status", interrupt)
    assert follow(head(client), "x") == 130
    assert "x goes on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (JobStatus.SUCCEEDED, 0, 0),
        (JobStatus.FAILED, 1, 1),
        (JobStatus.FAILED, 2, 2),
        (JobStatus.FAILED, -9, 1),
        (JobStatus.FAILED, None, 1),
        (JobStatus.STOPPED, None, 1),
    ],
)
def test_the_exit_status_is_the_jobs(
    status: JobStatus, code: int | None, expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_status(job("x", status, code=code)) == expected
    told = capsys.readouterr().err
    assert bool(told) == (code not in (0, 1, 2))


def test_only_our_own_variables_travel_and_folders_only_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SCALING_CACHE_DIR", "/here")
    monkeypatch.setenv("SCALING_OFFLINE", "1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert environment(True)["SCALING_CACHE_DIR"] == "/here"
    far = environment(False)
    assert far["SCALING_OFFLINE"] == "1"
    assert not [name for name in far if name.endswith("_DIR") or not name.startswith("SCALING_")]
    assert all(name.startswith("SCALING_") for name in environment(True))


def refused(path: Path) -> Path:
    raise PermissionError(path)


APART = ["unshare", "--user", "--map-root-user", "--fork", "--kill-child"]


@pytest.mark.parametrize("apart", [(), ("--mount",), ("--pid",)])
def test_a_head_in_a_container_is_not_this_machine(
    apart: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process is seen from here, its folders and its Python are not."""
    if not Path("/proc/self/ns/pid").exists():
        pytest.skip("containers share a kernel with us on Linux only")
    if apart and subprocess.run([*APART, *apart, "true"], capture_output=True).returncode:
        pytest.skip("no new namespaces for this user")
    if apart == ("--pid",):  # as for another user's
        monkeypatch.setattr(Path, "readlink", refused)
    session = f"session_{os.getpid()}_{'-'.join(apart)}"
    python = [sys.executable, "-c", "print(flush=True); input()", f"--session-name={session}"]
    like_ray = ["bash", "-c", 'exec -a /ray/gcs_server "$@"', "-", *python]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    assert not _runs_here(session)
    around = [*APART, *apart] if apart else []
    with subprocess.Popen([*around, *like_ray], **pipes) as head:
        assert head.stdout is not None
        assert head.stdout.readline()
        assert _runs_here(session) is not bool(apart)
        head.communicate(b"\n")


def test_an_address_is_the_flag_then_rays_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)
    assert url_of(None) == head_module.DEFAULT
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://there:1/")
    assert url_of(None) == "http://there:1"
    assert url_of("127.0.0.1:2") == "http://127.0.0.1:2"
    for bad in ("ray://there:10001", "http://", "http://there:port", "auto:x"):
        with pytest.raises(InputError, match="expected the URL"):
            url_of(bad)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, "", "wants a token (401): set RAY_AUTH_MODE=token"),
        (403, "", "takes another token than ours (403): set RAY_AUTH_MODE=token"),
        (200, "<html>", "is no Ray dashboard"),
        (404, "[]", "is no Ray dashboard"),
    ],
)
def test_who_answers_otherwise_is_one_line(
    status: int, body: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = requests.Response()
    answer.status_code, answer._content = status, body.encode()
    monkeypatch.setattr(requests, "get", lambda *_, **__: answer)
    with pytest.raises(InputError) as error:
        head_module.reach("http://there:1")
    assert said in str(error.value)


def test_nobody_at_the_address_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "none"))  # the user's is left alone
    assert main(["submit", "quickstart", "--address", "http://127.0.0.1:9"]) == 2
    said = capsys.readouterr().err.strip()
    assert "no Ray cluster answers at http://127.0.0.1:9 (no connection)" in said
    assert len(said.splitlines()) == 1
