"""Images from bytes: the file formats of MNIST, the zip-code digits and .npz, resized to 16x16.

Pure functions of bytes and arrays. Shapes: N images of H x W pixels.
"""

import io
import lzma
import math
import os
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaling.data import greys, inspection
from scaling.errors import InputError
from scaling.models.architecture import IMAGE_SIDE
from scaling.untrusted import open_regular

Bytes = NDArray[np.uint8]
Arrays = dict[str, NDArray[Any]]
# Assumed: images of this size are no larger once unpacked, and small files may hold blank ones.
MOST_TIMES, FREE_BYTES = 64, 2**25
# What zipfile and numpy raise for damaged files; the messages are theirs.
DAMAGE = (
    *(OSError, ValueError, EOFError, AttributeError, KeyError, TypeError, RuntimeError),
    *(NotImplementedError, OverflowError, SyntaxError, struct.error, zlib.error),
    *(lzma.LZMAError, zipfile.BadZipFile),
)
NPZ_ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def read_idx(raw: bytes) -> Bytes:
    """Return the array of an IDX file of unsigned bytes.

    Source: "The IDX file format", yann.lecun.com/exdb/mnist.
    """
    if raw[:3] != b"\0\0\x08":
        raise InputError(f"an IDX file starts with 00 00 08, this one with {raw[:3].hex(' ')}")
    shape = tuple(np.frombuffer(raw, ">u4", count=raw[3], offset=4).tolist())
    body = np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3])
    if body.size != math.prod(shape):
        raise InputError(f"an IDX file of shape {shape} holds {body.size:,} values")
    return body.reshape(shape)


def read_zip_digits(raw: bytes) -> tuple[NDArray[np.float32], Bytes]:
    """Return images (N, 16, 16) in [-1, 1] and labels (N,) of rows "label 256 greys".

    Source: Hastie, Tibshirani & Friedman, The Elements of Statistical Learning, zip.info.txt.
    """
    table = np.loadtxt(io.BytesIO(raw), dtype=np.float32, ndmin=2)
    if table.shape[1] != 1 + IMAGE_SIDE**2:
        raise InputError(f"zip-code digits have 257 numbers a row, this file {table.shape[1]}")
    return table[:, 1:].reshape(-1, IMAGE_SIDE, IMAGE_SIDE), table[:, 0].astype(np.uint8)


def bilinear(x_NHW: NDArray[np.float32], side: int = IMAGE_SIDE) -> NDArray[np.float32]:
    """Resize by bilinear interpolation, half-pixel centres, no anti-aliasing: (N, side, side).

    The bits are the same on every machine, hence no matrix product: each BLAS rounds differently.
    Source: torch.nn.functional.interpolate(mode="bilinear"), as in lecun1989-repro, prepro.py.
    """
    return _interpolate(_interpolate(x_NHW, 1, side), 2, side)


def _interpolate(x: NDArray[np.float32], axis: int, new: int) -> NDArray[np.float32]:
    """Return the weighted mean of the two nearest old pixels along one axis."""
    old = x.shape[axis]
    centre = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    low = np.minimum(centre.astype(int), max(old - 2, 0))
    high = np.minimum(low + 1, old - 1)
    weight = np.expand_dims((centre - low).astype(np.float32), tuple(range(1, x.ndim - axis)))
    mixed: NDArray[np.float32] = x.take(low, axis) * (1 - weight) + x.take(high, axis) * weight
    return mixed


def read_npz(path: str) -> Arrays:
    """Read the four arrays of a user's FILE.npz: images as 16x16 in [-1, 1], labels as uint8.

    Raises InputError as `inspect_npz` does.
    """
    return inspect_npz(path)[0]


def inspect_npz(path: str) -> tuple[Arrays, tuple[str, ...]]:
    """Read the arrays of `read_npz` and return them with warnings about them.

    Grey levels may be uint8 (0 .. 255), or floats in [0, 1] or [-1, 1].
    Raises InputError for a missing or damaged file, a missing array, an array that is no image, and
    for training and test images that contradict each other.
    """
    arrays = _open_npz(path)
    raw = {name: _square_images(path, name, arrays.pop(name)) for name in ("x_train", "x_test")}
    scale = _grey_scale(path, **raw)
    zero, unit = np.float32(sum(scale) / 2), np.float32((scale[1] - scale[0]) / 2)
    prepared: Arrays = {}
    for part in ("train", "test"):
        x, y = raw[f"x_{part}"], arrays[f"y_{part}"]
        prepared[f"y_{part}"] = _labels(path, f"y_{part}", y, len(x))
        grey = (x - zero) / unit
        prepared[f"x_{part}"] = grey if grey.shape[1] == IMAGE_SIDE else bilinear(grey)
    train = greys.measure("training", "x_train", raw["x_train"])
    test = greys.measure("test", "x_test", raw["x_test"])
    if problem := greys.contradiction(train, test, scale):
        raise InputError(f"{path}: {problem}")
    return prepared, inspection.warnings(train, test, scale, raw, prepared)


def _open_npz(path: str) -> dict[str, NDArray[Any]]:
    try:
        with open_regular(path) as opened, np.load(opened, allow_pickle=False) as file:
            _check_size(file, os.fstat(opened.fileno()).st_size)
            missing = [name for name in NPZ_ARRAYS if name not in file.files]
            if missing:
                raise InputError(
                    f"{path} has no {', '.join(missing)} but {', '.join(file.files) or 'nothing'}:"
                    f" expected the arrays {', '.join(NPZ_ARRAYS)}"
                )
            arrays = {name: file[name] for name in NPZ_ARRAYS}
            if odd := [name for name, found in arrays.items() if isinstance(found, bytes)]:
                raise ValueError(f"{', '.join(odd)} is no array of numpy's")
    except DAMAGE as error:
        # numpy advises to unpickle unknown files
        why = "it is none, or holds objects" if "pickle" in str(error) else error
        raise InputError(
            f"{path} cannot be read as an .npz file ({why}): write it with numpy.savez"
        ) from error
    return arrays


def _check_size(file: Any, n_bytes: int) -> None:
    """Raise ValueError for arrays that take more memory than such a file can be for.

    numpy takes what the header of an array asks for before it reads the array.
    """
    most, total = FREE_BYTES + MOST_TIMES * n_bytes, 0
    for info in file.zip.infolist():
        if info.filename.removesuffix(".npy") not in NPZ_ARRAYS:
            continue
        total += max(info.file_size, _asked_for(file, info.filename))
    if total > most:
        raise ValueError(f"{total:,} bytes once unpacked, expected at most {most:,}")


def _asked_for(file: Any, name: str) -> int:
    """Return the bytes of an array by its header; 0 for what is none, which numpy reports."""
    with file.zip.open(name) as array:
        if array.read(6) != np.lib.format.MAGIC_PREFIX:
            return 0
        major, _ = array.read(2)
        read = "read_array_header_1_0" if major == 1 else "read_array_header_2_0"
        shape, _, dtype = getattr(np.lib.format, read)(array)
    return int(math.prod(shape) * dtype.itemsize)


def _square_images(path: str, name: str, x: NDArray[np.generic]) -> NDArray[np.float32]:
    if x.ndim == 4 and 1 in (x.shape[1], x.shape[3]):  # a channel axis, first or last
        x = x.squeeze(1 if x.shape[1] == 1 else 3)
    if x.ndim != 3 or x.shape[1] != x.shape[2] or 0 in x.shape:
        raise InputError(
            f"{path}: {name} has shape {x.shape}, expected square grey images (N, S, S)"
        )
    if x.dtype.kind not in "uif":
        raise InputError(f"{path}: {name} is of type {x.dtype}, expected uint8 or float")
    with np.errstate(over="ignore"):  # infinite greys are on no scale and are refused below
        return x.astype(np.float32)


def _grey_scale(path: str, **images: NDArray[np.float32]) -> greys.Scale:
    """Return the scale that holds the greys of all images together."""
    ranges = {name: (float(x.min()), float(x.max())) for name, x in images.items()}
    low, high = np.min([*ranges.values()]), np.max([*ranges.values()])  # NaN if any is NaN
    for scale in greys.SCALES:
        if scale[0] <= low and high <= scale[1]:
            return scale
    each = ", ".join(f"{name} {least:g} to {most:g}" for name, (least, most) in ranges.items())
    same = len(set(map(str, ranges.values()))) == 1
    raise InputError(
        f"{path}: greys go from {low:g} to {high:g}{'' if same else f' ({each})'}, expected 0 to"
        " 255, 0 to 1 or -1 to 1, in training and test images alike"
    )


def _labels(path: str, name: str, y: NDArray[np.generic], expected: int) -> Bytes:
    if y.shape != (expected,):
        raise InputError(f"{path}: {name} has shape {y.shape}, expected ({expected},)")
    if y.dtype.kind not in "ui":
        raise InputError(f"{path}: {name} is of type {y.dtype}, expected whole numbers from 0 to 9")
    if int(y.min()) < 0 or int(y.max()) > 9:
        raise InputError(
            f"{path}: {name} goes from {y.min()} to {y.max()}, expected whole numbers from 0 to 9"
        )
    return y.astype(np.uint8)
