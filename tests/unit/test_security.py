"""Test that results and data are never executed: no pickle, and only loopback addresses."""

import ast
import io
import os
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from jobs.cli.main import main
from jobs.execution import connect
from jobs.submission.submit import environment
from scaling.cache import locked
from scaling.errors import InputError

ROOT = Path(__file__).parents[2]
FILES = [
    path for package in ("scaling", "jobs", "analysis") for path in (ROOT / package).rglob("*.py")
]
# What unpickles what no result or data goes into: a driver's batches within its own memory, and
# Tune's file of an error, in a scratch folder that this very process made.
KNOWN = {ROOT / "jobs/planning/batches.py", ROOT / "jobs/execution/lost_trials.py"}
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


SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "secret",
    "RAY_AUTH_TOKEN": "secret",
    "SCALING_PASSWORD": "secret",  # ours by its name only
}


def test_trials_are_told_what_they_read_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SCALING_OFFLINE", "1")
    monkeypatch.setenv("SCALING_MIRRORS", "https://a.example/x, https://b.example/")
    for told in (connect.settings(), environment(here=True), environment(here=False)):
        assert told["SCALING_OFFLINE"] == "1"
        assert told["SCALING_MIRRORS"] == "https://a.example/x, https://b.example/"
        assert all(name.startswith("SCALING_") for name in told)
        assert "secret" not in told.values()


@pytest.mark.parametrize("address", ["https://me:pw@a.example/", "https://a.example/?token=pw"])
def test_mirrors_with_a_password_do_not_travel(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    monkeypatch.setenv("SCALING_MIRRORS", f"https://b.example/ {address}")
    assert "SCALING_MIRRORS" not in environment(here=True)
    said = capsys.readouterr().err
    assert "set it on each node" in said
    assert "pw" not in said


def test_every_variable_that_trials_read_is_forwarded() -> None:
    """And each that is forwarded is read. A check of a machine has no trials."""
    files = [path for path in (ROOT / "scaling").rglob("*.py") if path.parent.name != "check"]
    read = {name for path in files for name in re.findall(r"SCALING_([A-Z_]+)", path.read_text())}
    assert read == set(connect.FORWARDED.split())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_other_processes_import_nothing_from_the_working_folder(path: Path) -> None:
    """`python -m` looks there first, and it may be a stranger's results: -P."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.List | ast.Tuple):
            words = [ast.unparse(word) for word in node.elts]
            if "sys.executable" in words and "'-m'" in words:
                assert "'-P'" in words, f"line {node.lineno}"


@pytest.mark.parametrize("module", ["jobs.cli", "jobs.sweep"])
def test_python_m_imports_nothing_from_the_working_folder(tmp_path: Path, module: str) -> None:
    for name in ("numpy", "argparse", "scaling"):
        (tmp_path / f"{name}.py").write_text("open('imported', 'w')")
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("part", [".", "datasets", "datasets/rows"])
def test_a_cache_that_all_users_can_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setenv("SCALING_CACHE_DIR", str(tmp_path / "cache"))
    with locked("rows") as folder:
        folder.mkdir()
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    (tmp_path / "cache" / part).chmod(0o1777)
    with pytest.raises(InputError, match="all users can write"), locked("rows"):
        pass
