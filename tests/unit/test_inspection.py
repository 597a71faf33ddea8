"""Grey scales and backgrounds of a user's own file: contradictions are refused, odd ones named."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from own_files import TO_SCALE, digits, inspect, rescaled, scales, sizes

from scaling.errors import InputError


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


@pytest.mark.parametrize("part", ["x_train", "x_test"])
def test_half_of_the_images_inverted_are_counted(part: str) -> None:
    arrays = digits(0)
    half = len(arrays[part]) // 2
    arrays[part] = np.concatenate([arrays[part][:half], 1 - arrays[part][half : 2 * half]])
    label = f"y_{part[2:]}"
    arrays[label] = arrays[label][: 2 * half]
    assert any(f"{half:,} of " in line and "the others on a" in line for line in inspect(arrays))
