"""Test that status, report, verify and sweep agree on a flipped bit, and that a sweep mends it."""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from flips import flip
from honest import run
from records import add_records

from scaling.store.schema import PROVENANCE
from scaling.store.store import Store

GRID = ["--n-train", 30, 60, 90, "--recipe", "1989", "ce", "--epochs", 3, "--seeds", 0, 1]
KINDS = ("metrics", "predictions", "failures", "studies", "runs", "forecasts", "bench.json")
Said = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def swept(rows_npz: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sweep twelve models, and lay a file of every other kind beside them."""
    out = tmp_path_factory.mktemp("swept") / "out"
    assert sweep(out, rows_npz) == 0
    store = Store(out)
    lost = {"cell_id": "x", "run_id": None, "kind": "infrastructure", "error": "a node was lost"}
    store.write_failure(lost)
    add_records(store)
    assert run("report", out) == run("status", out) == 0
    return out


def sweep(out: Path, data: Path) -> int:
    words = ["quickstart", "--dataset", data, *GRID, "--cpus", 2, "--out", out]
    return run("sweep", *words, "--address", "local")


def results(out: Path) -> list[str]:
    contents = Store(out).contents()
    tables = (contents.metrics, contents.predictions)
    kept = [t.drop_columns([n for n in PROVENANCE if n in t.column_names]) for t in tables]
    return sorted(str(row) for table in kept for row in table.to_pylist())


def check(swept: Path, data: Path, out: Path, kind: str, seed: int, capsys: Said) -> None:
    """Flip a bit of a file; each command names it, the sweep mends it, and none ends badly."""
    draw = random.Random(seed)
    shutil.copytree(swept, out)
    path = out / kind
    if path.is_dir():
        path = draw.choice([each for each in sorted(path.iterdir()) if each.is_file()])
    bit = draw.randrange(8 * path.stat().st_size)
    flip(path, bit)
    where = f"bit {bit} of {path}, seed {seed}"
    capsys.readouterr()

    def said(status: int, expected: Sequence[int]) -> str:
        heard = "".join(capsys.readouterr())
        assert status in expected, (where, heard)
        assert "Traceback" not in heard, where
        return heard

    assert path.name in said(run("status", out), [2]), where
    assert path.name in said(run("report", out), [2]), where
    assert path.name in said(run("verify", out, "--sample", 0), [1, 2]), where
    assert path.name in said(sweep(out, data), [0]), where
    assert path.name not in said(run("verify", out, "--sample", 0), [0]), where
    assert path.name not in said(run("status", out), [0]), where
    assert path.name not in said(run("report", out), [0]), where
    assert results(out) == results(swept), where
    shutil.rmtree(out)


@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("kind", ["metrics", "studies", "runs"])
def test_the_commands_agree_on_a_flipped_bit(
    swept: Path, rows_npz: Path, tmp_path: Path, kind: str, capsys: Said
) -> None:
    check(swept, rows_npz, tmp_path / "out", kind, 2, capsys)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("kind", KINDS)
def test_the_commands_agree_on_every_flipped_bit(
    swept: Path, rows_npz: Path, tmp_path: Path, kind: str, capsys: Said
) -> None:
    for seed in range(1, 16):
        check(swept, rows_npz, tmp_path / "out", kind, seed, capsys)
