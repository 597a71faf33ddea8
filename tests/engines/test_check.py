"""Test `scaling check`: it names failures, survives any task, and needs three packages."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jobs.cli.main import main
from scaling import cache
from scaling.check import child, kernels, runner
from scaling.check.agreement import CPU, cell_of, compare_with_reference, population_cases, recipe
from scaling.check.cases import Case, Outcome, noise, train_all
from scaling.check.child import attempt, cases_of
from scaling.check.plan import Task, tasks
from scaling.check.runner import Report
from scaling.engines.population import tracing
from scaling.models.weights import initial_weights
from scaling.study import make_members

pytestmark = pytest.mark.usefixtures("one_thread")

HIDING = """
import sys

HIDDEN = {"filelock", "jinja2", "matplotlib", "optuna", "pandas", "platformdirs", "pyarrow", "ray"}
HIDDEN |= {"requests", "scipy", "seaborn"}


class Hiding:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        hidden = name.split(".")[0] in HIDDEN
        return None if hidden else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)


sys.meta_path[:] = [Hiding(finder) for finder in sys.meta_path]
"""


def run_check(tmp_path: Path, *words: str, **environment: str) -> tuple[int, dict[str, Any]]:
    """Return exit status and figures of a check with its three packages alone."""
    (tmp_path / "sitecustomize.py").write_text(HIDING)
    root = Path(__file__).parents[2]
    path = tmp_path / "check.json"
    done = subprocess.run(
        [sys.executable, "-m", "scaling.check", "--json", str(path), *words],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"} | environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    print(done.stdout)
    return done.returncode, json.loads(path.read_text())


def test_it_needs_numpy_torch_and_numba_alone(tmp_path: Path) -> None:
    status, found = run_check(tmp_path, "--only", "machine")
    assert (status, found["failed"], found["not_run"], found["held"]) == (1, [], [], 4)
    assert (found["fit"], len(found["undecided"])) == (None, 3)  # no engine ran
    assert found["tasks"][0]["cases"][1]["figures"]["numpy"] == np.__version__


def test_so_do_all_its_modules(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HIDING)
    root = Path(__file__).parents[2]
    names = [f"scaling.check.{path.stem}" for path in (root / "scaling/check").glob("[a-z]*.py")]
    names += ["scaling.engines.population.engine", "scaling.engines.compiled.engine"]
    subprocess.run(
        [sys.executable, "-c", f"import {', '.join(names)}"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"},
        check=True,
    )


@pytest.mark.parametrize(
    "name", ["micro_vit", "continued after an epoch", "members that fail leave"]
)
def test_the_population_engine_holds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "DIRECT", tracing.DIRECT)  # the cases change it
    (case,) = (case for case in population_cases("cpu") if case.name == name)
    assert case.run().problem is None


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_whole_check_holds(tmp_path: Path, device: str) -> None:
    status, found = run_check(tmp_path, "--device", device, SCALING_FAKE_GPU="1")
    assert (status, found["failed"]) == (0, [])
    assert found["held"] > 30
    assert found["stands_in"] == (None if device == "cpu" else "cpu")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_task_of_the_plan_is_known(device: str, tmp_path: Path) -> None:
    named = [task for group in tasks(device) for task in group]
    assert len({task.name for task in named}) == len(named)
    for task in named:
        cases_of(list(task.words), tmp_path, 1.0, device)


CHILD = """
import os, sys, time
from scaling.check import child
from scaling.check.cases import Case, Outcome


def spoil():
    raise RuntimeError("CUDA error: an illegal memory access was encountered")


RUNS = {
    "holds": lambda: Outcome(text="fine"),
    "dies": os.abort,
    "raises": lambda: 1 / 0,
    "spoils": spoil,
    "differs": lambda: Outcome(text="", problem="other bits", figures={"worst": [float("nan")]}),
    "lacks": lambda: Outcome(text="tanh-sgd did not train alone", compared=False),
    "hangs": lambda: time.sleep(60),
    "last": lambda: Outcome(text=str(os.getpid())),
}
child.cases_of = lambda words, *_: [Case(name=word, run=RUNS[word]) for word in words]
child.main(*sys.argv[1:])
"""


def outcomes(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *words: str,
    most: float = 20.0,
    budget: float = 60.0,
) -> Report:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    monkeypatch.setattr(runner, "CHILD", (sys.executable, str(script)))
    monkeypatch.setattr(runner, "GRACE_S", 1.0)
    task = Task(words=words, usual=1, most=most)
    (report,) = runner.run([[task]], tmp_path, "cpu", budget, lambda *_: None)
    return report


def test_a_case_that_crashes_costs_only_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = ("holds", "dies", "raises", "spoils", "differs", "last")
    report = outcomes(monkeypatch, tmp_path, *words)
    assert [case["case"] for case in report.cases] == list(words)
    assert [case["status"] for case in report.cases] == ["ok", *["failed"] * 4, "ok"]
    problems = [case.get("problem") for case in report.cases]
    assert problems[1] == "died: SIGABRT"
    assert problems[2] == "ZeroDivisionError: division by zero"
    assert "1 / 0" in report.cases[2]["traceback"]
    assert "Fatal Python error: Aborted" in report.cases[1]["log"]
    assert report.cases[4]["figures"] == {"worst": [None]}
    assert (report.status, report.problem) == ("failed", None)


def test_a_case_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    report = outcomes(monkeypatch, tmp_path, "holds", "hangs", "last", most=3.0)
    assert [case["status"] for case in report.cases] == ["ok", "failed"]
    assert report.cases[1]["problem"].startswith("stopped after")


def test_a_slow_case_that_had_not_its_full_time_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    report = outcomes(monkeypatch, tmp_path, "holds", "hangs", budget=4.0)
    assert [case["status"] for case in report.cases] == ["ok", "not run"]
    assert report.status == "ok"


def test_a_case_without_a_comparison_is_not_ok(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    report = outcomes(monkeypatch, tmp_path, "lacks")
    assert [case["status"] for case in report.cases] == ["not run"]
    assert (report.status, report.problem) == ("not run", None)


def test_what_has_no_time_left_is_not_begun(tmp_path: Path) -> None:
    task = Task(words=("machine",), usual=1, most=1)
    (report,) = runner.run([[task]], tmp_path, "cpu", 0.0, lambda *_: None)
    assert (report.status, report.cases) == ("not run", [])


def forged(weights: dict[str, np.ndarray], by: float) -> dict[str, np.ndarray]:
    changed = weights | {"h3_weight": weights["h3_weight"].copy()}
    changed["h3_weight"][0, 0] += by
    return changed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda weights: weights, None),
        (lambda weights: forged(weights, 1e-3), "worst 0.001, allowed 0.0001"),
        (lambda weights: forged(weights, np.nan), "most nan"),
        (lambda weights: {k: v + np.float32(1e-5) for k, v in weights.items()}, "most 1e-05"),
    ],
)
def test_models_beside_the_reference(change: Callable[[Any], Any], said: str | None) -> None:
    data = noise()
    cell = cell_of(data, recipe("1989"))
    members = make_members(cell.recipe, [0])
    (model,) = train_all(cell, members, data, "population")
    model = replace(model, weights=change(model.weights))
    found = compare_with_reference(cell, members, [model], data, CPU)
    assert (found.problem is None) == (said is None)
    assert (said or "") in (found.problem or "")


def test_a_training_that_moves_nothing_is_a_problem() -> None:
    data = noise()
    cell = cell_of(data, recipe("1989", lr=1e-9))
    members = make_members(cell.recipe, [0])
    found = compare_with_reference(
        cell, members, train_all(cell, members, data, "population"), data, CPU
    )
    assert "nothing was trained" in str(found.problem)


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[float, float], Outcome]:
    """A pair of kinds: how far off the second is, and the first when it trains again."""
    names = ("tanh-sgd", "gelu-adamw")
    data = noise()
    start = initial_weights(cell_of(data, recipe("1989")).architecture, recipe("1989"), 0)
    for name in names:
        np.savez(tmp_path / f"{name}.npz", **start)  # type: ignore[arg-type]

    def found(second: float, again: float) -> Outcome:
        off = iter((0.0, second, again))

        monkeypatch.setattr(
            kernels, "_train", lambda _: SimpleNamespace(weights=forged(start, next(off)))
        )
        (case,) = kernels.pair_cases(*names, tmp_path)
        return case.run()

    return found


def test_a_pair_of_kernels_is_compared_to_the_bit(pairs: Callable[[float, float], Outcome]) -> None:
    assert pairs(0.0, 0.0).problem is None
    assert "2. gelu-adamw by 1" in str(pairs(1e-6, 0.0).problem)
    assert "3. tanh-sgd by 1" in str(pairs(0.0, 1e-6).problem)
    assert "2. gelu-adamw by nan" in str(pairs(np.nan, 0.0).problem)


def test_a_pair_is_not_compared_with_what_never_trained(tmp_path: Path) -> None:
    (case,) = kernels.pair_cases("tanh-sgd", "gelu-adamw", tmp_path)
    outcome = attempt(case)
    assert (outcome["status"], outcome["problem"], outcome["figures"]) == ("not run", None, {})
    assert "tanh-sgd and gelu-adamw did not train alone" in outcome["text"]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_slow_import_of_torch_leaves_time_for_the_products(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 0.0

    def later(seconds: float) -> Outcome:
        nonlocal clock
        clock += seconds
        return Outcome(text="fine")

    names = {"versions": 45.0, "precision of products": 1.0}
    monkeypatch.setattr(child, "perf_counter", lambda: clock)
    monkeypatch.setattr(
        child,
        "cases_of",
        lambda *_: (Case(name=name, run=lambda s=s: later(s)) for name, s in names.items()),  # type: ignore[misc]
    )
    (machine,) = tasks(device)[0]
    events = tmp_path / "events"
    events.touch()
    child.main(str(events), str(tmp_path), str(machine.most), device, *machine.words)
    assert '"not run"' not in events.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--device", "cuda"], "no GPU"),
        (["--json", "/nowhere/check.json"], "--json"),
        (["--device", "tpu"], "invalid choice"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(["check", *words])
    except SystemExit as exit_:
        status = int(str(exit_.code))
    error = capsys.readouterr().err
    assert (status, len(error.splitlines())) == (2, 1)
    assert said in error


def test_the_cache_needs_neither_platformdirs_nor_filelock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    monkeypatch.setitem(sys.modules, "filelock", None)
    monkeypatch.delenv("SCALING_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_dir() == tmp_path / "scaling-study"
    lock = tmp_path / "scaling-study" / "kernels" / "one.lock"
    with cache.locked("one", "kernels"), lock.open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with lock.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
