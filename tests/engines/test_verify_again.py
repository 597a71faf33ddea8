"""Test the retraining of `scaling verify`: equality of bits, and the paired test."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from forging import (
    edit,
    edit_plan,
    first,
    miss_more,
    put,
    put_all,
)
from honest import ONE_ULP, TRAIN, own_data, run, run_ids, verified

from scaling.engines import versions

NOW = versions.VERSIONS["compiled"]


def test_an_engine_of_another_version_is_compared_within_tolerance(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two models are too few for that, which is never taken for agreement."""
    monkeypatch.setitem(versions.VERSIONS, "compiled", NOW + 1)
    assert len(verified(capsys, copied, "--sample", 99)[1]["equal"]) == 5
    run_ids_of_it = run_ids(copied, "compiled")
    for run_id in run_ids_of_it:
        edit(copied / "metrics" / f"{run_id}.parquet", put("test_loss", ONE_ULP))
    status, found = verified(capsys, copied, "--sample", 99)
    (decision,) = found["paired"]
    assert (status, sorted(decision["models"])) == (1, run_ids_of_it)
    assert decision["verdict"] == "not verifiable at this precision"
    assert decision["reasons"] == [f"engine {NOW} then, {NOW + 1} now"]
    assert (sorted(found["unverified"]), found["findings"]) == (run_ids_of_it, [])
    assert run("verify", copied, "--sample", 99, *own_data(copied)) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("2 models could not be verified: ")
    assert all(run_id in last for run_id in run_ids_of_it)


LOSS_BY_TEN = put("test_loss", lambda loss: loss / 10)


@pytest.mark.parametrize("engine", ["compiled", "population"])
@pytest.mark.parametrize("forged", ["no versions", "no processor", "cuda", "reference"])
def test_rows_that_excuse_themselves_from_equal_bits_are_not_confirmed(
    copied: Path, engine: str, forged: str, capsys: pytest.CaptureFixture[str]
) -> None:
    claim = {
        "no versions": put_all("versions", []),
        "no processor": put_all("versions", lambda v: [p for p in v if p[0] != "processor"]),
        "cuda": put_all("device", "cuda"),
        "reference": put_all("engine", "reference"),
    }[forged]
    run_id = run_ids(copied, engine)[0]
    path = copied / "metrics" / f"{run_id}.parquet"
    edit(path, claim)
    miss_more(copied, run_id, count=5)
    status, found = verified(capsys, copied, "--sample", 99)
    named = {*found["unverified"], *(f["run_id"] for f in found["findings"])}
    assert status == 1
    assert run_id in named
    edit(path, LOSS_BY_TEN)
    status, found = verified(capsys, copied, "--sample", 99)
    assert status == 1
    assert run_id in {f["run_id"] for f in found["findings"]}


def test_a_lone_model_of_the_population_engine_had_no_neighbours(
    rows_npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, words = tmp_path / "out", ["--batch-size", 7, "--engine", "population"]
    assert run("train", "--dataset", rows_npz, *TRAIN, *words, "--out", out) == 0
    assert verified(capsys, out)[0] == 0
    edit(first(out), put("test_loss", ONE_ULP))
    status, found = verified(capsys, out)
    (finding,) = found["findings"]
    assert (status, finding["run_id"]) == (1, first(out).stem)
    assert "test_loss of epoch 2" in finding["what"]


def test_a_model_whose_neighbours_left_the_plan_is_not_taken_for_a_lone_one(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plan that was written anew with fewer seeds: its last model had two beside it."""

    def fewer(plan: dict[str, Any]) -> None:
        for cell in plan["cells"]:
            del cell["members"][1:]

    edit_plan(copied, fewer)
    status, found = verified(capsys, copied, "--sample", 99)
    assert found["findings"] == []
    assert status == (1 if found["unverified"] else 0)


def test_nothing_confirmed_is_no_success(
    copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where the images are not at hand: their file is named beside the one of the plan."""
    edit_plan(
        copied,
        lambda plan: [cell.update(source=str(tmp_path / "rows.npz")) for cell in plan["cells"]],
    )
    status, found = verified(capsys, copied)
    (finding,) = found["findings"]
    assert (status, finding["what"]) == (1, "models that training again confirms")
    assert any("5 models cannot be trained again here" in note for note in found["notes"])
    assert verified(capsys, copied, "--sample", 0)[0] == 0


def test_rows_of_earlier_versions_are_read_and_equal_bits_are_enough(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (copied / "metrics").iterdir():
        edit(path, put_all("versions", [("torch", "1.0")]))
    status, found = verified(capsys, copied, "--sample", 99)
    assert (status, len(found["equal"])) == (0, 5)
    edit(first(copied), put("train_loss", ONE_ULP))
    status, found = verified(capsys, copied, "--sample", 99)
    (finding,) = found["findings"]  # the others show that this machine gives those bits
    assert (status, finding["run_id"]) == (1, first(copied).stem)
    assert "where others with the same versions came back to the bit" in finding["what"]


@pytest.fixture(scope="module")
def many(rows_npz: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty models of the compiled engine with dozens of misses."""
    out = tmp_path_factory.mktemp("verify") / "many"
    words = ["--n-train", 30, "--n-test", 100, "--epochs", 2, "--seeds", 20]
    assert run("train", "--dataset", rows_npz, *words, "--out", out) == 0
    return out


def test_the_paired_test_tells_worse_models_from_rounding(
    many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows of another version of the engine: other last bits hold, a few misses more do not."""
    monkeypatch.setitem(versions.VERSIONS, "compiled", NOW + 1)
    out = Path(shutil.copytree(many, tmp_path / "out"))
    for path in sorted((out / "metrics").iterdir()):
        edit(path, put("test_loss", ONE_ULP))
    status, found = verified(capsys, out, "--sample", 3)  # more are trained, until it can be told
    (decision,) = found["paired"]
    assert (status, decision["n"], decision["verdict"]) == (0, 20, "holds")
    kept = first(out).read_bytes()
    edit(first(out), LOSS_BY_TEN)
    status, found = verified(capsys, out, "--sample", 20)
    (finding,) = found["findings"]
    assert (status, finding["check"]) == (1, "trained again, each number within bounds")
    assert finding["run_id"] == first(out).stem
    first(out).write_bytes(kept)
    for path in sorted((out / "metrics").iterdir()):
        miss_more(out, path.stem, count=3)
    status, found = verified(capsys, out, "--sample", 3)
    (decision,) = found["paired"]
    assert (status, decision["verdict"]) == (1, "does not hold")
    assert {f["run_id"] for f in found["findings"]} == set(decision["models"])
    assert f"engine {NOW} then, {NOW + 1} now" in found["findings"][0]["got"]


def test_by_reference_compares_weights_and_then_misses(
    many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = verified(capsys, many, "--by", "reference", "--sample", 20)
    (decision,) = found["paired"]
    assert (status, decision["n"], decision["verdict"]) == (0, 20, "holds")
    checked = {row["check"]: row["checked"] for row in found["checks"]}
    assert checked["weight by weight against the reference"] == 1
    out = Path(shutil.copytree(many, tmp_path / "out"))
    for path in sorted((out / "metrics").iterdir()):
        miss_more(out, path.stem, count=3)
    status, found = verified(capsys, out, "--by", "reference", "--sample", 20)
    assert (status, found["paired"][0]["verdict"]) == (1, "does not hold")


def test_by_reference_names_an_engine_whose_weights_are_others(
    honest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from scaling.engines.compiled import engine

    rates = engine.step_rates
    monkeypatch.setattr(engine, "step_rates", lambda *a: rates(*a) * 1.01)
    status, found = verified(capsys, honest, "--by", "reference", "--sample", 5)
    assert status == 1
    (finding,) = found["findings"]
    assert finding["check"] == "weight by weight against the reference"
    assert finding["run_id"] in run_ids(honest, "compiled")
