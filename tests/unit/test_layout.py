"""The house: imports point one way, and looking at results needs neither torch nor Ray."""

import ast
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from imports import Graph, circles, imported, read_graph, room

ROOT = Path(__file__).parents[2]
# Sub-packages and modules beside them, from the ground up: each may import those before it.
FLOORS = {
    "scaling": (
        *(
            "errors",
            "untrusted",
            "progress",
            "cache",
            "plain",
            "analyses",
            "recipes",
            "older_plans",
            "models",
        ),
        *(
            "rules",
            "data",
            "cell",
            "optim",
            "study",
            "engines",
            "bench",
            "pretraining",
            "store",
            "verifying",
            "check",
        ),
        "archive",
    ),
    "analysis": (
        *("arrays", "stats", "present", "results", "effects", "laws", "reference", "forecasts"),
        *("claims", "report", "compare", "api"),
    ),
    "jobs": (
        *("studies", "planning", "execution", "tuning", "verifying", "submission", "cli"),
        *("sweep", "publish"),
    ),
}


def files(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found
    return found


@pytest.fixture(scope="module")
def graph() -> Graph:
    return read_graph(ROOT, tuple(FLOORS))


@pytest.mark.parametrize("package", FLOORS)
def test_the_rooms_are_those_that_are_listed(package: str, graph: Graph) -> None:
    rooms = {room(module) for module in graph if module.startswith(f"{package}.")}
    assert rooms == {f"{package}.{name}" for name in FLOORS[package]}


@pytest.mark.parametrize("package", FLOORS)
def test_rooms_import_lower_ones_only(package: str, graph: Graph) -> None:
    """The order is that of FLOORS, from the ground up; imports inside functions count."""
    floor = {f"{package}.{name}": number for number, name in enumerate(FLOORS[package])}
    wrong = [
        f"{module} imports {other}"
        for module, others in graph.items()
        for other in others
        if room(module) in floor
        and room(other) in floor
        and floor[room(other)] > floor[room(module)]
    ]
    assert wrong == [], "\n".join(wrong)


def test_no_modules_import_each_other_in_a_circle(graph: Graph) -> None:
    assert list(circles(graph)) == []


def test_a_circle_is_found(tmp_path: Path) -> None:
    """Inside functions too, and through a package."""
    for name, text in {
        "p/__init__.py": "",
        "p/a.py": "from p.q import b",
        "p/q/__init__.py": "",
        "p/q/b.py": "def late():\n    from p import c\n    return c",
        "p/c.py": "import p.a",
        "p/d.py": "from p import a, c",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert list(circles(read_graph(tmp_path, ("p",)))) == [["p.a", "p.c", "p.q.b"]]


@pytest.mark.parametrize("path", files("scaling"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_library_knows_nothing_of_ray_jobs_or_analysis(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported(path)}
    assert not roots & {"ray", "jobs", "analysis", "optuna"}


@pytest.mark.parametrize("path", files("analysis"), ids=lambda path: str(path.relative_to(ROOT)))
def test_analysis_imports_study_and_store_only(path: Path) -> None:
    names = imported(path)
    assert not {name.split(".")[0] for name in names} & {"ray", "jobs", "torch", "optuna", "numba"}
    ours = {name for name in names if name.split(".")[0] == "scaling"}
    allowed = ("scaling.store.store", "scaling.study", "scaling.errors", "scaling.analyses")
    allowed += ("scaling.older_plans", "scaling.untrusted", "scaling.store.bounds")
    allowed += ("scaling.store.columns", "scaling.store.memory", "scaling.store.contents")
    assert all(name in ("scaling", "scaling.store") or name.startswith(allowed) for name in ours)


@pytest.mark.parametrize("path", files("scaling"), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_store_and_the_archive_know_pyarrow(path: Path) -> None:
    knows = "pyarrow" in {name.split(".")[0] for name in imported(path)}
    assert not knows or path.parent.name == "store" or path.name == "parquet_file.py"


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
            if ast.unparse(node.func) in ("os.open", "file.zip.open"):  # bits alone
                continue
            given = [ast.unparse(argument) for argument in node.args]
            named = any(keyword.arg == "encoding" for keyword in node.keywords)
            bits = any(mode.strip("'").endswith("b") for mode in given) or "os.devnull" in given
            assert named or bits, f"{path}:{node.lineno}: {ast.unparse(node)} names no encoding"


def test_importing_the_analysis_imports_neither_torch_nor_ray() -> None:
    code = "import sys, analysis.api; print(sorted({'torch', 'ray'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_help_and_studies_wait_for_no_large_library() -> None:
    heavy = {"ray", "torch", "pandas", "matplotlib"}
    code = (
        "import sys; from jobs.cli.main import main; main(['studies'])\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-1] == "[]"


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
