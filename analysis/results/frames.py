"""Arrow tables of a results folder as a data frame, and as arrays by model."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from scaling.store.columns import bytes_of_rows, shared_objects

Classes = Mapping[str, NDArray[np.uint8]]
Key = TypeVar("Key")


class Missed(Mapping[Key, NDArray[np.bool_]], Generic[Key]):
    """The test images that each model missed, (n_test,), in one bit each; unpacked when asked."""

    def __init__(self, right: Mapping[Key, tuple[NDArray[np.uint8], int]]) -> None:
        """Take the bits of the images that each model had right, and their number."""
        self._right = right

    def __getitem__(self, model: Key) -> NDArray[np.bool_]:
        packed, n = self._right[model]
        missed: NDArray[np.bool_] = ~np.unpackbits(packed, count=n).view(bool)
        return missed

    def __iter__(self) -> Iterator[Key]:
        return iter(self._right)

    def __len__(self) -> int:
        return len(self._right)


def rows_of(table: pa.Table, models: Collection[str]) -> pa.Table:
    """Return the rows of these models; the table itself where it has no others."""
    mine = pc.is_in(table["run_id"], value_set=pa.array(models, pa.string()))
    return table if pc.all(mine).as_py() else table.filter(mine)


def as_frame(columns: dict[str, pa.ChunkedArray], sorted_by: Sequence[str]) -> pd.DataFrame:
    """Return columns in pandas; each leaves `columns` before the next, which saves gigabytes.

    Equal lists and maps share one object.
    """
    keys = pa.table({name: columns[name] for name in sorted_by})
    order = pc.sort_indices(keys, [(name, "ascending") for name in sorted_by])
    del keys
    frame: dict[str, pd.Series] = {}
    for name in list(columns):
        column = columns.pop(name)
        if pa.types.is_nested(column.type):
            frame[name] = pd.Series(shared_objects(column)[order.to_numpy()])
        else:
            frame[name] = column.take(order).to_pandas()
    return pd.DataFrame(frame, copy=False)


def predictions_by_model(predictions: pa.Table) -> tuple[Missed[str], Classes]:
    """Return the test images that each model missed, and the classes it predicted, (n_test,)."""
    right: dict[str, tuple[NDArray[np.uint8], int]] = {}
    predicted: dict[str, NDArray[np.uint8]] = {}
    sizes = pc.unique(predictions["n_test"]).to_pylist()
    for n in sizes:
        rows = predictions  # without a copy, where all have one size
        if len(sizes) > 1:
            rows = predictions.filter(pc.equal(predictions["n_test"], n))
        for batch in rows.to_batches():
            runs = batch["run_id"].to_pylist()
            packed = bytes_of_rows(batch["correct"], (n + 7) // 8)
            right |= {run: (bits, n) for run, bits in zip(runs, packed, strict=True)}
            predicted |= zip(runs, bytes_of_rows(batch["predicted"], n), strict=True)
    return Missed(right), predicted
