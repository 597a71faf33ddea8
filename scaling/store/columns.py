"""Columns of Arrow tables as NumPy arrays, without an object for each row."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def bytes_of_rows(whole: pa.Array, n_bytes: int) -> NDArray[np.uint8]:
    """Return binary values of one length as an array (rows, n_bytes), without a copy."""
    if not len(whole):
        return np.empty((0, n_bytes), np.uint8)
    offsets = np.frombuffer(whole.buffers()[1], np.int32)[whole.offset :][: len(whole) + 1]
    data = np.frombuffer(whole.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    return data.reshape(len(whole), n_bytes)


def codes_of(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[Any]]:
    """Return a number for each row, equal where the values are, and the value of each number."""
    whole = column.combine_chunks().dictionary_encode()
    codes = pc.fill_null(whole.indices, len(whole.dictionary)).to_numpy().astype(np.int64)
    return codes, [*whole.dictionary.to_pylist(), None]


def shared_objects(column: pa.ChunkedArray) -> NDArray[np.object_]:
    """Return lists or maps as Python has them; rows of equal values share one object."""
    shared: dict[str, Any] = {}
    parts = [_shared_in(chunk, shared) for chunk in column.chunks]  # which takes less memory
    return np.concatenate([np.empty(0, object), *parts])


def _shared_in(array: pa.Array, shared: dict[str, Any]) -> NDArray[np.object_]:
    """Return the objects of an array, from `shared` where that has an equal one."""
    parts = [array.keys, array.items] if pa.types.is_map(array.type) else [array.values]
    coded = [codes_of(pa.chunked_array([part])) for part in parts]
    codes = np.zeros(len(parts[0]), np.int64)
    for numbers, values in coded:
        codes = codes * len(values) + numbers
    offsets = array.offsets.to_numpy()
    found = np.empty(len(array), object)
    lengths = np.diff(offsets)
    lengths[~array.is_valid().to_numpy(zero_copy_only=False)] = -1
    for n in np.unique(lengths):
        rows = np.flatnonzero(lengths == n)
        if n > 0:
            of_row = codes[offsets[rows][:, None] + np.arange(n)]
            _, first, kind = np.unique(of_row, axis=0, return_index=True, return_inverse=True)
        else:
            first, kind = np.zeros(1, np.int64), np.zeros(len(rows), np.int64)
        objects = np.empty(len(first), object)
        values = [array[int(rows[i])].as_py() for i in first]
        objects[:] = [shared.setdefault(repr(value), value) for value in values]
        found[rows] = objects[kind.ravel()]
    return found
