"""The columns of the contract as Parquet schemas, and tables brought to them."""

import pyarrow as pa

SCHEMA_VERSION = 1  # in every row
_TIME = pa.timestamp("us", tz="UTC")

METRICS = pa.schema(
    [
        ("run_id", pa.string()),
        ("cell_id", pa.string()),
        ("study", pa.string()),
        ("dataset", pa.string()),
        ("test_set_id", pa.string()),
        ("split", pa.string()),
        ("n_train", pa.int64()),
        ("n_test", pa.int64()),
        ("width", pa.float64()),
        ("recipe", pa.string()),
        ("tricks", pa.list_(pa.string())),
        ("model", pa.string()),
        ("engine", pa.string()),
        ("device", pa.string()),
        ("seed", pa.int64()),
        ("lr", pa.float64()),
        ("weight_decay", pa.float64()),
        ("batch_size", pa.int64()),
        ("epochs", pa.int64()),
        ("epoch", pa.int64()),
        ("examples_seen", pa.int64()),
        ("train_flop", pa.float64()),  # large studies exceed 2**63
        ("n_params", pa.int64()),
        ("n_macs", pa.int64()),
        *[
            (f"{part}_{what}", kind)
            for part in ("train", "val", "test")
            for what, kind in (("loss", pa.float64()), ("misses", pa.int64()), ("n", pa.int64()))
            if (part, what) != ("test", "n")  # that is n_test
        ],
        ("wall_s", pa.float64()),
        ("cpu_s", pa.float64()),
        ("created_at", _TIME),
        ("git_commit", pa.string()),
        ("host", pa.string()),
        ("versions", pa.map_(pa.string(), pa.string())),
        ("schema_version", pa.int64()),
    ]
)
PREDICTIONS = pa.schema(
    [
        ("run_id", pa.string()),
        ("test_set_id", pa.string()),
        ("n_test", pa.int64()),
        ("correct", pa.binary()),
        ("predicted", pa.binary()),
    ]
)
FAILURES = pa.schema(
    [
        ("cell_id", pa.string()),
        ("run_id", pa.string()),
        ("kind", pa.string()),
        ("error", pa.string()),
        ("traceback", pa.string()),
        ("created_at", _TIME),
    ]
)
# Columns of metrics and failures that may differ between two equal trainings.
PROVENANCE = (
    *("study", "wall_s", "cpu_s", "created_at"),
    *("git_commit", "host", "versions", "traceback"),
)
SCHEMAS = {"metrics": METRICS, "predictions": PREDICTIONS, "failures": FAILURES}


def cast_to_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with the columns and types of the schema.

    Raises ArrowException for values that the type cannot hold, such as text for a number.
    """
    table = table.select(schema.names)
    if table.schema.equals(schema):  # promotion takes 30 times longer (measured)
        return table
    both = pa.concat_tables([schema.empty_table(), table], promote_options="permissive")
    return both.cast(schema)
