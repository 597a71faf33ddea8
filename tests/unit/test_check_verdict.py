"""The verdict of `scaling check`: fit only where every essential part was seen to hold."""

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.cli.main import main
from scaling.check.plan import Task, tasks
from scaling.check.runner import Report

ESSENTIAL = {
    "machine": "precision of products",
    "compiled tanh-sgd": "1989, width 1",
    "population cpu": "1989",
    "order tanh-sgd relu-adamw": "tanh-sgd, then relu-adamw",
}


def reported(task: str, case: str, status: str = "ok", **more: str) -> Report:
    """The report of a task with one case."""
    found = {"case": case, "status": status, "text": "fine", "problem": None} | more
    return Report(
        task=Task(words=tuple(task.split()), usual=1, most=1), status=status, cases=[found]
    )


def verdict(
    reports: list[Report], monkeypatch: pytest.MonkeyPatch, path: Path, *words: str
) -> tuple[int, dict[str, Any]]:
    """The exit status and the figures of a check whose tasks gave these reports."""
    from scaling.check import command

    monkeypatch.setattr(command, "run", lambda *_: reports)
    status = main(["check", "--json", str(path), *words])
    return status, json.loads(path.read_text())


@pytest.mark.parametrize("held", [True, False])
def test_the_exit_status_says_whether_it_is_fit(
    held: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    reports = [reported(*names) for names in ESSENTIAL.items()]
    if not held:
        reports[2] = reported("population cpu", "1989", "failed", problem="other bits")
    late = Report(task=tasks("cpu")[1][0])
    status, found = verdict([*reports, late], monkeypatch, tmp_path / "check.json")
    out = capsys.readouterr().out
    assert (status, found["fit"]) == (0 if held else 1, held)
    assert found["failed"] == ([] if held else ["population cpu: 1989: other bits"])
    assert found["not_run"] == [late.task.name]
    assert ("NOT FIT" in out) != held
    assert "undecided:" not in out
    assert f"not run, no time left: {late.task.name}" in out


@pytest.mark.parametrize("lost", ESSENTIAL)
@pytest.mark.parametrize("how", ["no report", "no case", "not compared", "another case"])
def test_without_an_essential_part_it_is_undecided(
    lost: str,
    how: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    reports = [reported(*names) for names in ESSENTIAL.items() if names[0] != lost]
    if how == "no case":
        reports.append(Report(task=Task(words=tuple(lost.split()), usual=1, most=1)))
    elif how == "not compared":
        reports.append(reported(lost, ESSENTIAL[lost], "not run"))
    elif how == "another case":
        reports.append(reported("machine", "versions"))
        reports.append(reported("speed 1989", "1989, width 1"))
    status, found = verdict(reports, monkeypatch, tmp_path / "check.json")
    out = capsys.readouterr().out
    assert (status, found["fit"], len(found["undecided"])) == (1, None, 1)
    assert out.splitlines()[-1].startswith(f"undecided: {found['undecided'][0]} was not run")
    if how == "not compared":
        assert f"not run, nothing to compare with: {lost}" in out


def test_an_engine_on_another_device_decides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALING_FAKE_GPU", "1")
    path = tmp_path / "check.json"
    reports = [reported(*names) for names in ESSENTIAL.items()]
    assert verdict(reports, monkeypatch, path, "--device", "cuda")[1]["fit"] is None
    reports = [*reports[:2], reported("population cuda", "1989")]
    assert verdict(reports, monkeypatch, path, "--device", "cuda")[1]["fit"] is True


@pytest.mark.parametrize("status", ["ok", "failed", "not run"])
def test_the_verdict_names_the_stand_in(
    status: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SCALING_FAKE_GPU", "1")
    reports = [reported(*names) for names in ESSENTIAL.items()]
    reports[2] = reported("population cuda", "1989", status)
    verdict(reports, monkeypatch, tmp_path / "check.json", "--device", "cuda")
    assert "the CPU stood in for the GPU" in capsys.readouterr().out.splitlines()[-1]
    verdict(reports, monkeypatch, tmp_path / "check.json")
    assert "stood in" not in capsys.readouterr().out
