"""Copies, classes and the cache of a user's own file; real digits pass, identities stay."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from own_files import TO_SCALE, digits, inspect, rescaled, scales, sizes

from jobs.cli.main import main
from scaling import cache
from scaling.data import datasets, formats
from scaling.data.formats import inspect_npz, read_idx, read_npz, read_zip_digits
from scaling.data.published import SOURCES, read_files


@settings(max_examples=30, deadline=None)
@given(st.fixed_dictionaries(sizes), scales, st.integers(1, 10), st.booleans())
def test_copies_in_the_test_set_are_counted(
    size: dict[str, int], scale: str, copies: int, relabelled: bool
) -> None:
    arrays = digits(**size)
    arrays["x_test"][:copies] = arrays["x_train"][:copies]
    arrays["y_test"][: copies if relabelled else 0] = 9 - arrays["y_train"][: copies * relabelled]
    expected = f"{copies} of {size['n_test']} test images {'is' if copies == 1 else 'are'} among"
    if copies == size["n_test"]:
        expected = f"all {copies} test images are among the training images"
    found = [w for w in inspect(rescaled(arrays, scale)) if "among" in w]
    assert len(found) == 1
    assert found[0].startswith(expected)
    assert (f"{copies} of them with another label" in found[0]) == relabelled
    assert "16×16" not in found[0]


def test_images_that_agree_only_when_cut_are_told_apart() -> None:
    arrays = digits(0, side=16)
    arrays["x_test"] = np.kron(arrays["x_test"], np.ones((3, 3)))
    arrays["x_test"][:5] = np.kron(arrays["x_train"][:5], np.ones((3, 3)))
    sides, copies = inspect(arrays)
    assert sides == "training images have 16×16 pixels, test images 48×48"
    assert "5 of 20 test images are among the training images, too, 5 of them only when" in copies


def test_copies_within_the_training_set_are_counted() -> None:
    arrays = digits(0)
    arrays["x_train"][10:14], arrays["x_train"][20] = arrays["x_train"][0], arrays["x_train"][1]
    copies, contradicted = inspect(arrays)
    assert copies.startswith("5 of 30 training images are copies of other training images")
    assert contradicted.startswith(
        "7 of 30 training images are the same as other training images with"
    )
    assert "another label" in contradicted


@pytest.mark.parametrize(
    ("y_train", "y_test", "expected"),
    [
        (lambda y: y % 8, lambda y: y, ["classes 8 and 9 are tested (4 images) but never trained"]),
        (lambda y: y, lambda y: y % 9, ["class 9 is trained but never tested"]),
        (lambda y: y % 8, lambda y: y % 8, ["classes 8 and 9 have no image at all"]),
        (lambda y: y, lambda y: np.where(y < 9, 1, 2), ["are trained but", "90% of the test"]),
        (lambda y: y % 2, lambda y: 2 + y % 2, ["are tested", "are trained", "at all"]),
        (lambda y: 0 * y, lambda y: 0 * y, ["have no image at all"]),
    ],
)
def test_missing_classes_are_named(
    y_train: Callable[[np.ndarray], np.ndarray],
    y_test: Callable[[np.ndarray], np.ndarray],
    expected: list[str],
) -> None:
    arrays = digits(0)
    arrays |= {"y_train": y_train(arrays["y_train"]), "y_test": y_test(arrays["y_test"])}
    found = inspect(arrays)
    assert len(found) == len(expected)
    assert all(part in warning for part, warning in zip(expected, found, strict=True))


@pytest.mark.parametrize("name", ["mnist", "usps"])
def test_real_digits_pass_without_a_word(
    name: str,
    data_dir: Path,  # noqa: ARG001
    tmp_path: Path,
) -> None:
    files = read_files(SOURCES[name])
    if name == "mnist":
        parts = [read_idx(file) for file in files]
    else:
        parts = [array for file in files for array in read_zip_digits(file)]
    np.savez(tmp_path / "a.npz", **dict(zip(formats.NPZ_ARRAYS, parts, strict=True)))
    assert inspect_npz(str(tmp_path / "a.npz"))[1] == ()


def test_what_was_accepted_before_keeps_its_identity(tiny_npz: Path) -> None:
    """An inspection gives no new names to results that are stored: this is how they were made."""
    before = hashlib.sha256(b"2" + tiny_npz.read_bytes()).hexdigest()[:24]
    assert datasets.find(str(tiny_npz))[1].version == before


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    arrays = digits(3)
    arrays["x_test"][:7] = arrays["x_train"][:7]
    np.savez(tmp_path / "leaky.npz", **arrays)
    return tmp_path / "leaky.npz"


LEAK = "7 of 20 test images are among the training images"


def test_warnings_are_printed_again_from_the_cache(
    leaky: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", str(leaky)]) == 0
    monkeypatch.setattr(datasets, "inspect_npz", None)  # from here on the cache serves
    for words in (["data", str(leaky)], ["sweep", "quickstart", "--dry-run"]):
        more = ["--dataset", str(leaky), "--n-train", "20"] if words[0] == "sweep" else []
        capsys.readouterr()
        assert main([*words, *more]) == 0
        assert capsys.readouterr().out.count(f"warning: {LEAK}") == 1
    assert main(["data", str(leaky), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["note"] == "your own file leaky.npz"
    assert row["warnings"][0].startswith(LEAK)


def test_what_an_older_version_prepared_is_inspected_in_place(leaky: Path) -> None:
    source, info = datasets.find(str(leaky))
    data = datasets.load(source, 1)
    folder = cache.cache_dir() / "datasets" / f"npz-{info.version}"
    made = json.loads((folder / "made.json").read_text())
    older = {name: made[name] for name in ("sha256", "rows", "stamps")}
    (folder / "made.json").write_text(json.dumps(older))
    inode = (folder / "x_train.npy").stat().st_ino
    assert datasets.find(source)[1].warnings == data.info.warnings
    assert (folder / "x_train.npy").stat().st_ino == inode
    assert json.loads((folder / "made.json").read_text()) == made


def test_a_contradiction_is_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arrays = rescaled(digits(0), "uint8", "0 to 1")
    np.savez(tmp_path / "a.npz", **arrays)
    for words in (["data", str(tmp_path / "a.npz")], ["train", "--dataset", f"{tmp_path}/a.npz"]):
        assert main(words) == 2
        printed = capsys.readouterr()
        assert printed.err.count("\n") == 1
        assert "expected one scale for both" in printed.err


def test_pixels_are_what_they_were(tmp_path: Path) -> None:
    for scale in TO_SCALE:
        arrays = rescaled(digits(0), scale)
        np.savez(tmp_path / "a.npz", **arrays)
        got = read_npz(str(tmp_path / "a.npz"))
        np.testing.assert_allclose(got["x_test"], 2 * digits(0)["x_test"] - 1, atol=0.005)
