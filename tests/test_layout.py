"""The house: imports point one way, and looking at results needs neither torch nor Ray."""

import ast
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def imported(path: Path) -> set[str]:
    """Every module that a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def files(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found
    return found


@pytest.mark.parametrize("path", files("scaling"), ids=str)
def test_the_library_knows_nothing_of_ray_jobs_or_analysis(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported(path)}
    assert not roots & {"ray", "jobs", "analysis", "optuna"}


@pytest.mark.parametrize("path", files("analysis"), ids=str)
def test_analysis_imports_study_and_store_only(path: Path) -> None:
    names = imported(path)
    assert not {name.split(".")[0] for name in names} & {"ray", "jobs", "torch", "optuna", "numba"}
    ours = {".".join(n.split(".")[:2]) for n in names if n.split(".")[0] == "scaling"}
    assert ours <= {"scaling.store.store", "scaling.study", "scaling.errors"}


@pytest.mark.parametrize("path", files("scaling"), ids=str)
def test_only_the_store_its_two_parts_and_the_archive_know_pyarrow(path: Path) -> None:
    knows = "pyarrow" in {name.split(".")[0] for name in imported(path)}
    assert knows == (path.name in ("parquet_file.py", "store.py", "schema.py", "files.py"))


@pytest.mark.parametrize("package", ["scaling", "jobs", "analysis"])
def test_text_files_name_their_encoding(package: str) -> None:
    """Without a name it is the locale's, which need not be able to hold what a file has."""
    for path in files(package):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name)):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if name not in ("open", "fdopen", "read_text", "write_text"):
                continue
            given = [ast.unparse(argument) for argument in node.args]
            named = any(keyword.arg == "encoding" for keyword in node.keywords)
            bits = any(mode.strip("'").endswith("b") for mode in given) or "os.devnull" in given
            assert named or bits, f"{path}:{node.lineno}: {ast.unparse(node)} names no encoding"


def test_importing_the_analysis_imports_neither_torch_nor_ray() -> None:
    code = "import sys, analysis.api; print(sorted({'torch', 'ray'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_library_trains_without_ray() -> None:
    code = "import sys, scaling.engines.reference; print('ray' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_every_installed_package_is_pinned() -> None:
    """What pip would choose on another day is not what was tested."""
    from importlib.metadata import distributions

    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    site = [sysconfig.get_path("purelib")]  # Ray brings some of its own, elsewhere
    found = distributions(path=site)
    installed = {str(d.metadata["Name"]).lower().replace("_", "-") for d in found}
    assert installed - pinned - {"pip", "setuptools", "wheel", "scaling-study"} == set()
