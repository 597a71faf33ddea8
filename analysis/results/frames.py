"""Arrow tables of a results folder as a data frame, and as arrays by model."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from scaling.store.columns import bytes_of_rows, shared_objects

Bits = Mapping[str, NDArray[np.bool_]]
Classes = Mapping[str, NDArray[np.uint8]]


def rows_of(table: pa.Table, models: Collection[str]) -> pa.Table:
    """Return the rows of these models; the table itself where it has no others."""
    mine = pc.is_in(table["run_id"], value_set=pa.array(models, pa.string()))
    return table if pc.all(mine).as_py() else table.filter(mine)


def as_frame(table: pa.Table) -> pd.DataFrame:
    """Return a table in pandas; equal lists and maps share one object, which saves gigabytes."""
    nested = [field.name for field in table.schema if pa.types.is_nested(field.type)]
    frame = table.drop_columns(nested).to_pandas(split_blocks=True)
    for name in nested:
        frame[name] = shared_objects(table[name])
    ordered: pd.DataFrame = frame[table.column_names]
    return ordered


def predictions_by_model(predictions: pa.Table) -> tuple[Bits, Classes]:
    """Return the test images that each model missed, (n_test,), and the classes it predicted."""
    wrong: dict[str, NDArray[np.bool_]] = {}
    predicted: dict[str, NDArray[np.uint8]] = {}
    sizes = pc.unique(predictions["n_test"]).to_pylist()
    for n in sizes:
        rows = predictions  # without a copy, where all have one size
        if len(sizes) > 1:
            rows = predictions.filter(pc.equal(predictions["n_test"], n))
        packed = bytes_of_rows(rows["correct"], (n + 7) // 8)
        missed = ~np.unpackbits(packed, axis=1, count=n).view(bool)
        runs = rows["run_id"].to_pylist()
        wrong |= zip(runs, missed, strict=True)
        predicted |= zip(runs, bytes_of_rows(rows["predicted"], n), strict=True)
    return wrong, predicted
