"""Find the models whose rows contradict each other, their predictions or their plan."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from scaling.store.columns import bytes_of_rows, codes_of
from scaling.store.schema import METRICS

Faults = dict[str, str]  # by run_id: what was found, and what was expected
BY_PLAN = {  # columns of a model's rows that its plan holds
    **dict.fromkeys(("dataset", "split", "n_train", "n_test", "width", "model"), "cell"),
    **{"recipe": "name", "epochs": "epochs", "batch_size": "batch_size"},
    **dict.fromkeys(("seed", "lr", "weight_decay"), "member"),
}
_PLANNED = pa.schema([METRICS.field(name) for name in ("run_id", "cell_id", *BY_PLAN)])
CHECKED = ("run_id", "cell_id", "epoch", "test_misses", "schema_version", *BY_PLAN)


def faulty_metrics(metrics: pa.Table, plans: Iterable[Mapping[str, Any]]) -> Faults:
    """Return the models whose rows contradict each other or the plan."""
    faults = _epochs_twice(metrics)
    last = last_rows(metrics)
    for run, misses, n in _rows_where(
        pc.or_(pc.less(last["test_misses"], 0), pc.greater(last["test_misses"], last["n_test"])),
        last,
        ("run_id", "test_misses", "n_test"),
    ):
        faults[run] = f"test_misses {misses}, expected 0 to {n}"
    return faults | _unlike_plan(last, plans)


def faulty_predictions(predictions: pa.Table) -> Faults:
    """Return the models whose predictions have another length than their number of images."""
    n = predictions["n_test"]
    bits, bytes_ = (pc.binary_length(predictions[name]) for name in ("correct", "predicted"))
    packed = pc.divide(pc.add(n, 7), 8)
    wrong = pc.or_kleene(pc.not_equal(bits, packed), pc.not_equal(bytes_, n))
    wrong = pc.or_kleene(wrong, pc.less(n, 1))
    wrong = pc.fill_null(wrong, True)
    return {
        run: f"predictions of {n_test} test images in other numbers of bytes"
        for run, n_test in _rows_where(wrong, predictions, ("run_id", "n_test"))
    }


def contradictions(metrics: pa.Table, predictions: pa.Table) -> Faults:
    """Return the models whose misses are not those of their predictions."""
    last = last_rows(metrics)
    at = pc.index_in(last["run_id"], value_set=predictions["run_id"].combine_chunks())
    last = last.filter(pc.is_valid(at))
    counted = pa.table({"n_test": predictions["n_test"], "missed": count_missed(predictions)})
    theirs = counted.take(pc.drop_null(at))
    table = pa.table(
        {
            "run_id": last["run_id"],
            "test_misses": last["test_misses"],
            "n_test": last["n_test"],
            "missed": theirs["missed"],
            "of": theirs["n_test"],
        }
    )
    wrong = pc.or_(
        pc.not_equal(table["test_misses"], table["missed"]),
        pc.not_equal(table["n_test"], table["of"]),
    )
    return {
        run: f"test_misses {misses} of {n}, expected {missed} of {of} by its predictions"
        for run, misses, n, missed, of in _rows_where(wrong, table, table.column_names)
    }


def count_missed(predictions: pa.Table) -> NDArray[np.int64]:
    """Return the number of missed images of each row; its bits have the length of its n_test."""
    found = np.empty(len(predictions), np.int64)
    n_of_row = predictions["n_test"].to_numpy()
    for n in np.unique(n_of_row).tolist():
        mine = n_of_row == n
        some = predictions["correct"].filter(pa.array(mine))
        bits = bytes_of_rows(some.combine_chunks(), (n + 7) // 8)
        beyond = bits[:, -1] & ((1 << -n % 8) - 1)  # bits after the last image
        right = np.bitwise_count(bits).sum(axis=1, dtype=np.int64) - np.bitwise_count(beyond)
        found[mine] = n - right
    return found


def last_rows(metrics: pa.Table) -> pa.Table:
    """Return the rows of last epochs."""
    return metrics.filter(pc.equal(metrics["epoch"], metrics["epochs"]))


def _epochs_twice(metrics: pa.Table) -> Faults:
    model, runs = codes_of(metrics["run_id"])
    epoch = pc.fill_null(metrics["epoch"], -1).to_numpy()
    order = np.lexsort((epoch, model))
    model, epoch = model[order], epoch[order]
    twice = np.flatnonzero((model[1:] == model[:-1]) & (epoch[1:] == epoch[:-1]))
    return {runs[model[i]]: f"epoch {epoch[i]} has several rows" for i in twice}


def _unlike_plan(last: pa.Table, plans: Iterable[Mapping[str, Any]]) -> Faults:
    columns = planned_columns(plans)
    at = pc.index_in(last["run_id"], value_set=columns["run_id"].combine_chunks())
    last = last.filter(pc.is_valid(at))
    planned = columns.take(pc.drop_null(at))
    faults: Faults = {}
    for name in (*BY_PLAN, "cell_id"):
        expected = planned[name]
        wrong = pc.fill_null(pc.not_equal(last[name], expected), False)
        both = pa.table({"run_id": last["run_id"], "found": last[name], "expected": expected})
        for run, found, planned_value in _rows_where(wrong, both, both.column_names):
            faults.setdefault(run, f"{name} {found}, expected {planned_value} by its plan")
    return faults


def planned_columns(plans: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return the columns that plans hold, a row per planned model; null where one is unknown."""
    found: dict[str, list[Any]] = {name: [] for name in ("run_id", "cell_id", *BY_PLAN)}
    seen: set[str] = set()
    for plan in plans:
        for cell in plan["cells"]:
            recipe, new = cell.get("recipe", {}), []
            for member in cell["members"]:
                if member["run_id"] not in seen:
                    seen.add(member["run_id"])
                    new.append(member)
            for name, where in BY_PLAN.items():
                if where == "member":
                    found[name] += [member.get(name) for member in new]
                else:
                    value = cell.get(name) if where == "cell" else recipe.get(where)
                    found[name] += [value] * len(new)
            found["run_id"] += [member["run_id"] for member in new]
            found["cell_id"] += [cell["cell_id"]] * len(new)
    return pa.table(found, schema=_PLANNED)


def _rows_where(mask: Any, table: pa.Table, names: Iterable[str]) -> Iterable[tuple[Any, ...]]:
    rows = table.select(list(names)).filter(pc.fill_null(mask, False))
    return zip(*(rows[name].to_pylist() for name in names), strict=True)
