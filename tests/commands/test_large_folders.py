"""Measure the commands on folders of very many models; docs/growing.md has the figures.

No time is asserted: `pytest -m slow -s tests/commands/test_large_folders.py` prints the table.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from large_folders import draw_folder

LOAD = "import sys, analysis; print(len(analysis.load(sys.argv[1]).models))"
MOST_GB = {"status": 2.0, "load": 2.5, "report": 3.0}  # measured: 1.1, 1.5 and 1.8


# Of a small process, as a child's memory counts from what its parent had.
MEASURE = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:])
_, status, used = os.wait4(process.pid, 0)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def measured(words: list[str]) -> tuple[str, float, float]:
    """Return what a command prints, its CPU seconds and the most GB of memory that it took."""
    told = subprocess.run(
        [sys.executable, "-c", MEASURE, *words], stdout=subprocess.PIPE, text=True
    )
    assert told.returncode == 0, told.stdout
    said, _, last = told.stdout.rstrip().rpartition("\n")
    seconds, gb = map(float, last.split())
    return said, seconds, gb


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is in kB on Linux")
@pytest.mark.parametrize("models", [10_000, 100_000])
def test_a_folder_of_very_many_models_is_read_in_bounded_memory(
    models: int, tmp_path: Path
) -> None:
    assert draw_folder(tmp_path, models) == models
    scaling, python = [sys.executable, "-m", "jobs.cli"], [sys.executable, "-c"]
    commands = {
        "status": [*scaling, "status", str(tmp_path), "--json"],
        "load": [*python, LOAD, str(tmp_path)],
        "report": [*scaling, "report", str(tmp_path)],
    }
    for name, words in commands.items():
        said, seconds, gb = measured(words)
        print(f"{models:,} models, {name}: {seconds:.1f} CPU s, {gb:.2f} GB")
        assert gb < MOST_GB[name]
        if name == "status":
            assert json.loads(said)["models_finished"] == models
        if name == "load":
            assert int(said) == models
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    assert len(numbers["curves"]) == 8
