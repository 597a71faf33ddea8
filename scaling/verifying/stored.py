"""All checks of a results folder that need no training."""

from collections.abc import Mapping, Sequence

from scaling.data.selection import Labels
from scaling.verifying.bits import check_counts, check_labels, labels_of
from scaling.verifying.folder import Folder, Row
from scaling.verifying.ledger import FAILURES, Ledger
from scaling.verifying.plans import Planned, check_plans
from scaling.verifying.rows import check_against_plan, check_rows

KINDS = ("numeric", "infrastructure")


def check_stored(folder: Folder, ledger: Ledger, given: Sequence[str] = ()) -> dict[str, Planned]:
    """Check every stored model; return the models of sound plans by run_id.

    `given` are files of the user's own data.
    """
    planned, named = check_plans(folder.plans, ledger, given)
    labels: dict[tuple[str, str], Labels | str] = {}
    unlabelled: dict[str, int] = {}
    for run, model in folder.models.items():
        check_rows(model, ledger)
        sizes_hold = check_counts(model, ledger)
        if run not in planned:
            continue
        cell, source = planned[run].cell, planned[run].source
        check_against_plan(model, planned[run], ledger)
        key = source, cell.test_set_id
        if key not in labels:
            labels[key] = labels_of(cell, source)
        found = labels[key]
        if isinstance(found, str):
            unlabelled[found] = unlabelled.get(found, 0) + 1
        elif sizes_hold and model.last["n_test"] == cell.n_test:
            check_labels(model, found, ledger)
    for reason, count in unlabelled.items():
        ledger.note(f"{count} models were not compared with labels: {reason}")
    _note_unplanned(folder, named, ledger)
    _check_failures(folder, planned, ledger)
    return planned


def _note_unplanned(folder: Folder, named: set[str], ledger: Ledger) -> None:
    unplanned = sorted(folder.models.keys() - named)
    for run in unplanned:
        ledger.note(f"{run}: no plan names this model ({folder.models[run].metrics_file})")
    for run in folder.orphans:
        ledger.note(f"{run}: predictions without rows, as an interrupted sweep leaves them")


def _check_failures(folder: Folder, planned: Mapping[str, Planned], ledger: Ledger) -> None:
    """Check that failures name models of their plan and precede any results of those models."""
    for file, row in folder.failures:
        ledger.count(FAILURES)
        page = ledger.about(FAILURES, row["run_id"], file)
        if row["kind"] not in KINDS:
            page.fail("kind", row["kind"], f"one of {', '.join(KINDS)}")
        known = planned.get(row["run_id"])
        if known:
            page.equal("cell_id", row["cell_id"], known.cell.cell_id)
        if _contradicts(row, folder):
            page.fail("a model that failed for good", "results that are older", "no results")
        elif row["run_id"] in folder.models:
            ledger.note(f"{row['run_id']}: failed once ({row['kind']}), and was trained since")


def _contradicts(row: Row, folder: Folder) -> bool:
    """Return whether a numeric failure follows a finished training, which cannot be."""
    model = folder.models.get(row["run_id"])
    if row["kind"] != "numeric" or model is None:
        return False
    stored_at, failed_at = model.last["created_at"], row["created_at"]
    return stored_at is not None and failed_at is not None and failed_at > stored_at
