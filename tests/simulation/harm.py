"""Look at a results folder, and store a later failure in it."""

from typing import Any

from scaling.store.store import Store


def figures(store: Store) -> tuple[list[str], ...]:
    contents = store.contents()
    kinds = (contents.metrics, contents.predictions, contents.failures)
    return tuple(sorted(map(str, table.to_pylist())) for table in kinds)


def failure_of(store: Store, kind: str) -> dict[str, Any]:
    """Store a later failure of the first failed model; return its row."""
    row = store.contents().failures.to_pylist()[0]
    later = {"run_id": row["run_id"], "cell_id": row["cell_id"], "kind": kind, "error": "later"}
    store.write_failure(later)
    return later
