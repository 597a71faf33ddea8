"""A results folder, read file by file: each model's rows with the files that hold them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaling.store.names import is_name_of
from scaling.store.store import Read, Store
from scaling.verifying.ledger import FILES, PLANS, Ledger

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """One model: its rows in the order of their file, its prediction, and the files of both."""

    run_id: str
    rows: tuple[Row, ...]
    prediction: Row | None
    metrics_file: str
    predictions_file: str

    @property
    def last(self) -> Row:
        return self.rows[-1]

    @property
    def versions(self) -> dict[str, str]:
        """Return the versions of code and machine; a missing key is unknown."""
        return dict(self.last["versions"] or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The content of a results folder. `failures` holds (file, row) pairs."""

    plans: Mapping[str, Mapping[str, Any]]
    models: Mapping[str, StoredModel]  # by run_id
    failures: tuple[tuple[str, Row], ...]
    orphans: tuple[str, ...]  # predictions whose rows are missing, by run_id


def read_folder(store: Store, ledger: Ledger) -> Folder:
    """Return the content of a folder; unreadable files and those with other models are findings."""
    plans = store.read_plans(edited=True)
    for path in store.file_names("studies", ".json"):
        ledger.count(FILES)
        if Path(path).stem not in plans:
            known = ", ".join(sorted(plans))
            ledger.about(FILES, None, path).fail("the study in a file", known, Path(path).stem)
    metrics = _by_run(store.read_each("metrics"), "metrics", ledger)
    predictions = _by_run(store.read_each("predictions"), "predictions", ledger)
    models = {
        run: StoredModel(
            run_id=run,
            rows=tuple(rows),
            prediction=predictions[run][1][0] if run in predictions else None,
            metrics_file=file,
            predictions_file=predictions[run][0] if run in predictions else "predictions",
        )
        for run, (file, rows) in metrics.items()
    }
    for run, (file, rows) in predictions.items():
        if len(rows) > 1:
            ledger.about(FILES, run, file).fail("rows of predictions", len(rows), 1)
    return Folder(
        plans=plans,
        models=models,
        failures=tuple(_failures(store.read_each("failures"), ledger)),
        orphans=tuple(run for run in predictions if run not in metrics),
    )


def check_reading(store: Store, ledger: Ledger) -> None:
    """Name the files that every other command leaves out, where no check has told why.

    Models that contradict an edited plan need no line each.
    """
    contents = store.contents()
    files = {finding.file for finding in ledger.findings}
    runs = {finding.run_id for finding in ledger.findings}
    for found in (*contents.corrupt, *contents.misplaced):
        file = f"{found.kind}/{Path(found.path).name}".removeprefix("/")
        explained = file in files or not runs.isdisjoint(found.models)
        if not explained and not (found.models and ledger.failed(PLANS)):
            ledger.about(FILES, None, file).fail("a file", found.error, "one that can be believed")


def _by_run(
    files: Mapping[str, Read], kind: str, ledger: Ledger
) -> dict[str, tuple[str, list[Row]]]:
    """Return rows by model with their file; a file of one model must have its name."""
    found: dict[str, tuple[str, list[Row]]] = {}
    for name, read in files.items():
        file = f"{kind}/{name}.parquet"
        if not _readable(read, file, ledger):
            continue
        by_run: dict[str, list[Row]] = {}
        for row in read.table.to_pylist():
            by_run.setdefault(str(row["run_id"]), []).append(row)
        if by_run and not is_name_of(name, list(by_run)) and (len(by_run) == 1 or read.sealed):
            run = next(iter(by_run))
            ledger.about(FILES, run, file).fail("the model in a file", run, name)
        elif not by_run:
            ledger.about(FILES, None, file).fail("rows", 0, "at least 1")
        for run, rows in by_run.items():
            if run in found:
                where = f"{found[run][0]} and {file}"
                ledger.about(FILES, run, file).fail("files with this model", where, "one")
            else:
                found[run] = file, rows
    return found


def _failures(files: Mapping[str, Read], ledger: Ledger) -> list[tuple[str, Row]]:
    found = []
    for name, read in files.items():
        file = f"failures/{name}.parquet"
        if not _readable(read, file, ledger):
            continue
        rows: list[Row] = read.table.to_pylist()
        if len(rows) == 1 and name not in (rows[0]["run_id"], rows[0]["cell_id"]):
            named = rows[0]["run_id"] or rows[0]["cell_id"]
            ledger.about(FILES, rows[0]["run_id"], file).fail("the model in a file", named, name)
        found += [(file, row) for row in rows]
    return found


def _readable(read: Read, file: str, ledger: Ledger) -> bool:
    ledger.count(FILES)
    for corrupt in read.corrupt:
        ledger.about(FILES, None, file).fail("a file", corrupt.error, "a table with our columns")
    return not read.corrupt
