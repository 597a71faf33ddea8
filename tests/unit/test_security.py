"""Test that results and data are never executed: no pickle, and only loopback addresses."""

import ast
import io
import os
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from jobs.cli.main import main
from jobs.execution import connect

ROOT = Path(__file__).parents[2]
FILES = [
    path for package in ("scaling", "jobs", "analysis") for path in (ROOT / package).rglob("*.py")
]
# What unpickles what no result or data goes into:
# a driver's batches within its own memory.
KNOWN = {ROOT / "jobs/planning/batches.py"}
UNPICKLERS = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_is_read_is_unpickled(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
        if isinstance(node, ast.ImportFrom):
            names = {node.module or ""}
        assert not names & UNPICKLERS or path in KNOWN
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in (
                "torch.load",
                "pd.read_pickle",
                "pandas.read_pickle",
                "eval",
                "exec",
            )
            allowed = {k.arg: ast.unparse(k.value) for k in node.keywords}.get("allow_pickle")
            assert allowed in (None, "False"), f"{called} at line {node.lineno}"


def test_no_code_of_ours_listens_beyond_loopback() -> None:
    """Ray's dashboard runs what it is sent: its host is left at loopback, or said to be."""
    for path in [*FILES, *ROOT.glob("*.yaml"), *(ROOT / "jobs").glob("*.yaml")]:
        text = path.read_text()
        hosts = re.findall(r"dashboard[-_]host[=: '\"]+([\w.:]+)", text)
        assert set(hosts) <= {"127.0.0.1", "localhost"}, path
        assert "0.0.0.0" not in text or path.suffix == ".yaml", path


class Bomb:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("how", ["an array of objects", "a bare pickle"])
def test_a_hostile_data_file_is_refused_and_not_run(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, path = tmp_path / "exploded", tmp_path / "digits.npz"
    arrays = {name: np.array([Bomb(target)], dtype=object) for name in ("x_train", "x_test")}
    arrays |= {name: np.zeros(1, np.uint8) for name in ("y_train", "y_test")}
    if how == "a bare pickle":
        with zipfile.ZipFile(path, "w") as file:
            for name in arrays:
                file.writestr(f"{name}.npy", pickle.dumps(Bomb(target)))
    else:
        np.savez(path, allow_pickle=True, **arrays)  # type: ignore[arg-type]
        with (
            np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file,
            pytest.raises(ValueError, match="allow_pickle"),
        ):
            file["x_train"]
    assert main(["train", "--dataset", str(path), "--n-train", "1"]) == 2
    assert "cannot be read as an .npz file" in capsys.readouterr().err
    assert not target.exists()


def test_trials_are_told_our_own_variables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("SCALING_OFFLINE", "1")
    told = connect.settings()
    assert told["SCALING_OFFLINE"] == "1"
    assert all(name.startswith("SCALING_") for name in told)
