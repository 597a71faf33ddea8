"""What the commands conclude from results that were just trained: they end well, with all files."""

import json
import re
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acceptance.commands import User
from acceptance.uses import SMALL, Submitted, Swept

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1200)]


def test_a_report_has_its_page_and_its_figures(user: User, submitted: Submitted) -> None:
    done = user.scaling("report", submitted.out)
    assert done.returncode == 0, done.stderr
    out = submitted.out
    assert [Path(line).name for line in done.stdout.splitlines()] == [
        "report.html",
        "report.md",
        "numbers.json",
    ]
    text = (out / "report.md").read_text(encoding="utf-8")
    named = re.findall(r"\]\((figures/[^)]+)\)", text)
    assert "figures/error_vs_n_train.png" in named
    assert all((out / name).read_bytes().startswith(b"\x89PNG") for name in named)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/svg+xml;base64,") >= len(named), "the page holds its figures"
    assert "How does the error fall with more drawn digits?" in page
    assert json.loads((out / "numbers.json").read_text(encoding="utf-8"))["models"] == 30


def test_the_report_of_the_killed_sweep_knows_all_its_cells(user: User, swept: Swept) -> None:
    done = user.scaling("report", swept.out)
    assert done.returncode == 0, done.stderr
    numbers = json.loads((swept.out / "numbers.json").read_text(encoding="utf-8"))
    assert numbers["cells"] == {"cells": 12, "finished": 12, "failed": 0, "missing": 0}
    assert not numbers["missing"]
    assert not numbers["failures"]


def test_submitted_results_are_compared_with_local_ones(
    user: User, submitted: Submitted, plain_small: Path
) -> None:
    done = user.scaling("report", submitted.out, plain_small)
    assert done.returncode == 0, done.stderr
    assert (
        "nothing differs" in (submitted.out / "comparison.md").read_text(encoding="utf-8").lower()
    )


def test_fits_have_parameters_within_their_intervals(user: User, submitted: Submitted) -> None:
    fits = user.told("fit", submitted.out)["fits"]
    laws = [fit for fit in fits if fit["form"] == "power_law"]
    assert {law["group"]["recipe"] for law in laws} == {"1989", "dropout_relu"}
    for law in laws:
        low, high = law["intervals"]["alpha"]
        assert 0 < low < law["params"]["alpha"] < high


def test_extrapolations_are_scored(user: User, submitted: Submitted) -> None:
    words = ["--min-origin", 512, "--ratios", 2]
    scores = user.told("validate", submitted.out, *words)
    assert scores["windows"] == 2
    assert scores["default"] in {row["form"] for row in scores["rows"]}
    assert user.scaling("validate", submitted.out).returncode == 2, "2,048 images are too many"


def test_forecasts_are_told_and_stored(user: User, submitted: Submitted) -> None:
    words = ["--study", SMALL, "--n-train", 2048]
    forecasts = user.told("predict", submitted.out, *words)["forecasts"]
    assert len(forecasts) == 2
    assert all(f["low"] < f["error"] < min(f["high"], f["fitted_errors"][-1]) for f in forecasts)
    paths = (submitted.out / "forecasts").glob("*.json")
    stored = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    assert all(any(f.items() <= each.items() for each in stored) for f in forecasts)


def test_results_of_both_kinds_hold_when_trained_again(
    user: User, submitted: Submitted, swept: Swept
) -> None:
    for out in (submitted.out, swept.out):
        assert user.told("verify", out, "--sample", 8)["holds"]


def test_a_forged_row_does_not_hold(user: User, submitted: Submitted) -> None:
    out = Path(shutil.copytree(submitted.out, user.folder / "forged"))
    path = min((out / "metrics").iterdir())
    table = pq.read_table(path)
    place = table.column_names.index("test_misses")
    fewer = [misses - 1 for misses in table["test_misses"].to_pylist()]
    table = table.set_column(place, table.schema.field(place), pa.array(fewer, pa.int64()))
    pq.write_table(table, path)
    done = user.scaling("verify", out, "--sample", 0)
    assert done.returncode == 1, done.stdout + done.stderr
    assert path.stem in done.stdout
