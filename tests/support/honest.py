"""Store honest results for the tests of `scaling verify`, and run it on a folder."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from jobs.cli.main import main
from scaling.store.store import Store

TRAIN = ["--n-train", "40", "--n-test", "90", "--epochs", "2"]
POPULATION = ["--batch-size", "7", "--seeds", "3"]  # three models in lock-step

ONE_ULP = lambda loss: math.nextafter(loss, 9)  # noqa: E731


def run(*words: object) -> int:
    return main([str(word) for word in words])


def verified(
    capsys: pytest.CaptureFixture[str], out: object, *words: object
) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    status = run("verify", out, "--json", *words, *own_data(out))
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["holds"] == (status == 0)
    return status, found


def own_data(out: object) -> list[str]:
    """Return the option that names the files of a folder's plans that are there."""
    plans = [path.read_text() for path in (Path(str(out)) / "studies").iterdir()]
    named = {path for text in plans for path in re.findall(r'source": "([^"]+\.npz)"', text)}
    found = sorted(path for path in named if Path(path).exists())
    return ["--data", *found] if found else []


def run_ids(out: Path, engine: str) -> list[str]:
    rows = Store(out).read("metrics", ["run_id", "engine"]).table.to_pylist()
    return sorted({row["run_id"] for row in rows if row["engine"] == engine})
