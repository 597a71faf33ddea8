"""A user's own file: what contradicts itself is refused, what is odd is named, the rest passes."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jobs.cli import main
from scaling import cache, datasets, formats
from scaling.errors import InputError
from scaling.formats import inspect_npz, read_idx, read_npz, read_zip_digits
from scaling.sources import SOURCES, read_files

Arrays = dict[str, np.ndarray]
TO_SCALE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "uint8": lambda x: np.round(x * 255).astype(np.uint8),
    "floats to 255": lambda x: x * 255,
    "0 to 1": lambda x: x.astype(np.float32),
    "-1 to 1": lambda x: 2 * x - 1,
}


def digits(seed: int, n_train: int = 30, n_test: int = 20, side: int = 16) -> Arrays:
    """Light strokes on a dark, slightly noisy paper, 0 to 1; each class is tested and trained."""
    rng = np.random.default_rng(seed)
    made = {}
    for part, n in (("train", n_train), ("test", n_test)):
        x = rng.uniform(0, 0.1, (n, side, side))
        for image in x:
            row, column = rng.integers(1, side - 1, 2)
            image[1 : row + 1, column] = rng.uniform(0.85, 1)
            image[row, 1:-1] = rng.uniform(0.85, 1)
        made |= {f"x_{part}": x, f"y_{part}": np.arange(n) % 10}
    return made


def rescaled(arrays: Arrays, train: str, test: str | None = None) -> Arrays:
    to = {"x_train": TO_SCALE[train], "x_test": TO_SCALE[test or train]}
    return {name: to[name](x) if name in to else x for name, x in arrays.items()}


def inspect(arrays: Arrays) -> tuple[str, ...]:
    with TemporaryDirectory() as folder:
        np.savez(Path(folder) / "a.npz", **arrays)
        return inspect_npz(str(Path(folder) / "a.npz"))[1]


sizes = {
    "seed": st.integers(0, 10**6),
    "n_train": st.integers(10, 60),
    "n_test": st.integers(10, 40),
    "side": st.integers(8, 28),
}
scales = st.sampled_from(sorted(TO_SCALE))


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries(sizes), scales)
def test_what_is_well_formed_passes_without_a_word(size: dict[str, int], scale: str) -> None:
    assert inspect(rescaled(digits(**size), scale)) == ()


@settings(max_examples=20, deadline=None)
@given(st.fixed_dictionaries(sizes), scales)
def test_dark_on_light_is_one_warning(size: dict[str, int], scale: str) -> None:
    arrays = digits(**size)
    inverted = arrays | {name: 1 - arrays[name] for name in ("x_train", "x_test")}
    (warning,) = inspect(rescaled(inverted, scale))
    assert "dark on a light background" in warning


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries(sizes), st.permutations(sorted(TO_SCALE)), st.floats(0, 0.04))
def test_two_scales_are_refused_and_both_ranges_named(
    size: dict[str, int], two: list[str], overshoot: float
) -> None:
    """Even where resampling took some images of 0 to 1 over the edge."""
    train, test, *_ = two
    if {train, test} == {"uint8", "floats to 255"}:
        return
    arrays = rescaled(digits(**size), train, test)
    for name, scale in (("x_train", train), ("x_test", test)):
        arrays[name] = arrays[name] * (1 + overshoot * (scale == "0 to 1"))
    with pytest.raises(InputError, match=r"x_train.* -?\S+ to \S+, .*x_test.* -?\S+ to ") as error:
        inspect(arrays)
    assert "expected" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda x: x / 255,
            r"x_train has greys from \S+ to 2\d\d, one of x_test from \S+ to 0\.\d",
        ),
        (lambda x: x / 255**2, r"one of x_test from \S+ to 0\.003\d+: expected one scale"),
        (lambda x: x / 2550, r"one of x_test from \S+ to 0\.09"),
        (lambda x: 255 - x, r"background of x_train is dark and that of x_test is light"),
        (
            lambda x: np.where(x > 200, np.nan, x),
            r"from nan to nan \(x_train .*, x_test nan to nan",
        ),
        (lambda x: np.where(x > 200, np.inf, x), r"to inf \(x_train .*, x_test \S+ to inf\)"),
        (lambda x: x * 1e300, r"to inf \(x_train .*, x_test \S+ to inf\)"),
        (
            lambda x: x / 127.5 - 1,
            r"\(x_train \S+ to 2\S+, x_test -\S+ to \S+\), expected 0 to 255",
        ),
    ],
)
def test_parts_that_contradict_each_other_are_refused(
    change: Callable[[np.ndarray], np.ndarray], message: str
) -> None:
    arrays = rescaled(digits(0), "floats to 255")
    with pytest.raises(InputError, match=message):
        inspect(arrays | {"x_test": change(arrays["x_test"])})
    with pytest.raises(InputError, match="x_train"):
        inspect(arrays | {"x_train": change(arrays["x_train"])})


GREYS = [[0, 1], [0, 0.5, 1], [0, 3, 255], [-1, 0, 1], [-1, 0.25], [0, 1.02], [7], [0, np.nan]]
shapes = st.tuples(st.integers(1, 4), st.integers(1, 5))
odd_parts = st.tuples(shapes, st.sampled_from(GREYS), st.sampled_from(["u1", "f2", "f8"])).flatmap(
    lambda of: st.tuples(
        hnp.arrays(
            of[2] if np.equal(np.abs(np.trunc(of[1])), of[1]).all() else "f8",
            (of[0][0], of[0][1], of[0][1]),
            elements=st.sampled_from(of[1]),
        ),
        hnp.arrays("i8", of[0][0], elements=st.integers(0, 9)),
    )
)


@settings(max_examples=200, deadline=None)
@given(odd_parts, odd_parts)
def test_whatever_a_file_holds_is_refused_in_one_line_or_used(
    train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]
) -> None:
    """A few pixels, a single image, no contrast: pytest turns numpy's own warnings into errors."""
    arrays = {"x_train": train[0], "y_train": train[1], "x_test": test[0], "y_test": test[1]}
    try:
        said = inspect(arrays)
    except InputError as refused:
        said = (str(refused),) if "expected" in str(refused) else ("no expectation\n",)
    assert all("\n" not in line and len(line) < 400 for line in said)


def test_signed_against_unsigned_is_refused() -> None:
    with pytest.raises(InputError, match=r"x_train has greys from -\S+ to \S+, one of x_test from"):
        inspect(rescaled(digits(0), "-1 to 1", "0 to 1"))


def test_one_grey_beyond_the_scale_does_not_change_it_silently() -> None:
    """A pixel of 1.02 once made 0 to 255 of all, and one of -0.02 a scale of -1 to 1."""
    arrays = digits(0)
    arrays["x_train"][3, 4, 4] = 1.02
    with pytest.raises(InputError, match=r"others reach 1\.02: expected one scale"):
        inspect(arrays)
    arrays["x_train"][3, 4, 4] = -0.02
    (warning,) = inspect(arrays)
    assert "taken to be on a scale of -1 to 1 as some others go below 0" in warning


def test_some_images_on_another_scale_are_counted() -> None:
    arrays = rescaled(digits(0), "uint8")
    arrays["x_test"] = arrays["x_test"].astype(float)
    arrays["x_test"][:4] /= 255
    assert "4 of 20 test images are nearly blank" in inspect(arrays)[0]
    arrays = rescaled(digits(0), "-1 to 1")
    arrays["x_train"][0] = (arrays["x_train"][0] + 1) / 2
    (warning,) = inspect(arrays)
    assert "1 of 30 training images is without any grey below 0" in warning


def test_a_scale_of_sixteen_is_named() -> None:
    """As of scikit-learn's digits: taken as 0 to 255, which leaves nearly nothing."""
    arrays = digits(0)
    small = {name: np.round(arrays[name] * 16) for name in ("x_train", "x_test")}
    assert any("greys from 0 to 15" in w or "0 to 16 only" in w for w in inspect(arrays | small))


@pytest.mark.parametrize("part", ["train", "test"])
def test_some_inverted_and_some_blank_images_are_counted(part: str) -> None:
    arrays = digits(0)
    arrays[f"x_{part}"][:2] = 1 - arrays[f"x_{part}"][:2]
    arrays[f"x_{part}"][5:8] = 0.5
    blank, inverted = inspect(arrays)
    assert blank.startswith("3 of ")
    assert "blank (all pixels are equal)" in blank
    assert inverted.startswith("2 of ")
    assert "on a light background, the others on a dark one" in inverted


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


@pytest.mark.parametrize("part", ["x_train", "x_test"])
def test_half_of_the_images_inverted_are_counted(part: str) -> None:
    arrays = digits(0)
    half = len(arrays[part]) // 2
    arrays[part] = np.concatenate([arrays[part][:half], 1 - arrays[part][half : 2 * half]])
    label = f"y_{part[2:]}"
    arrays[label] = arrays[label][: 2 * half]
    assert any(f"{half:,} of " in line and "the others on a" in line for line in inspect(arrays))
