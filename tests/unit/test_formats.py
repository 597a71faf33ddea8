"""File formats and the cut to 16x16, against PyTorch and against broken files."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from scaling.data.formats import bilinear, read_idx, read_npz, read_zip_digits
from scaling.errors import InputError


@pytest.mark.parametrize(("old", "new"), [(28, 16), (16, 16), (8, 16), (33, 16), (1, 16)])
def test_bilinear_is_what_the_reproduction_used(old: int, new: int) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (5, old, old)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(x)[:, None], (new, new), mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(bilinear(x, new), expected[:, 0].numpy(), atol=2e-6)


def test_bilinear_gives_the_same_bits_on_every_machine() -> None:
    """Two nodes of a cluster are to train on the same images, whatever their processors."""
    x = np.random.default_rng(0).integers(0, 256, (50, 28, 28)).astype(np.float32)
    digest = hashlib.sha256(bilinear(x / np.float32(127.5) - 1).tobytes()).hexdigest()
    assert digest[:16] == "32eadb57f73b5127"


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def test_idx_gives_back_what_was_written() -> None:
    array = np.arange(24).reshape(2, 3, 4)
    assert (read_idx(idx(array)) == array).all()


def test_a_wrong_idx_file_says_what_is_wrong() -> None:
    good = idx(np.arange(24).reshape(2, 3, 4))
    with pytest.raises(InputError, match="00 00 08"):
        read_idx(b"PK" + good[2:])
    with pytest.raises(InputError, match=r"\(2, 3, 4\) holds 23"):
        read_idx(good[:-1])


def test_zip_digits_are_label_and_greys() -> None:
    greys = np.round(np.random.default_rng(0).uniform(-1, 1, (2, 256)), 3)
    rows = "\n".join(f"{k}.0000 " + " ".join(map(str, greys[k])) for k in range(2))
    x, y = read_zip_digits(rows.encode())
    assert x.shape == (2, 16, 16)
    assert y.tolist() == [0, 1]
    np.testing.assert_allclose(x.reshape(2, 256), greys, atol=1e-6)


def save(path: Path, x: np.ndarray, y: np.ndarray | None = None, **more: np.ndarray) -> str:
    y = np.arange(len(x)) % 10 if y is None else y
    np.savez(path, **({"x_train": x, "y_train": y, "x_test": x, "y_test": y} | more))
    return str(path)


RAMP = np.linspace(0, 255, 4 * 256).reshape(4, 16, 16)


@pytest.mark.parametrize(
    "x", [RAMP.astype(np.uint8), RAMP, RAMP / 255, RAMP / 127.5 - 1, RAMP[:, None], RAMP[..., None]]
)
def test_greys_of_any_usual_scale_come_out_between_minus_one_and_one(
    tmp_path: Path, x: np.ndarray
) -> None:
    got = read_npz(save(tmp_path / "a.npz", x))
    np.testing.assert_allclose(got["x_train"], RAMP / 127.5 - 1, atol=0.01)


def test_a_dark_test_set_is_scaled_like_its_training_set(tmp_path: Path) -> None:
    dark = np.zeros((4, 16, 16), np.uint8)
    got = read_npz(save(tmp_path / "a.npz", RAMP.astype(np.uint8), x_test=dark + 1))
    np.testing.assert_allclose(got["x_test"], 1 / 127.5 - 1, atol=1e-6)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((4, 16, 12)), "square"),
        (np.zeros((0, 16, 16)), "square"),
        (np.zeros((4, 16, 16), complex), "type"),
        (np.full((4, 16, 16), np.nan), "greys go from nan"),
        (np.full((4, 16, 16), 300.0), "greys go from 300"),
    ],
)
def test_images_that_are_none_are_refused(tmp_path: Path, x: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_npz(save(tmp_path / "a.npz", x))


@pytest.mark.parametrize("y", [np.array([0, 1, 2, 10]), np.array([0, 1]), np.array([0.5, 1, 2, 3])])
def test_labels_that_are_none_are_refused(tmp_path: Path, y: np.ndarray) -> None:
    with pytest.raises(InputError, match="y_train"):
        read_npz(save(tmp_path / "a.npz", RAMP, y=y))


def test_missing_arrays_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=RAMP, images=RAMP)
    with pytest.raises(InputError, match=r"has no y_train, x_test, y_test but x_train, images"):
        read_npz(str(tmp_path / "a.npz"))


def test_a_torn_or_pickled_npz_is_refused(tmp_path: Path) -> None:
    path = Path(save(tmp_path / "a.npz", RAMP))
    path.write_bytes(path.read_bytes()[:-700])
    with pytest.raises(InputError, match="cannot be read"):
        read_npz(str(path))
    path.write_bytes(b"not a zip file")
    with pytest.raises(InputError, match="cannot be read"):
        read_npz(str(path))
    pickled = np.empty(4, object)
    pickled[:] = [{}] * 4
    with pytest.raises(InputError, match="cannot be read"):
        read_npz(save(tmp_path / "b.npz", RAMP, y=pickled))
