"""A results folder as tables: the models that its plans name, and their state."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.present.display import folder_html, folder_text
from analysis.results.frames import as_frame, predictions_by_model, rows_of
from analysis.results.records import Records, records_of
from scaling.errors import InputError
from scaling.store.memory import steady_memory
from scaling.store.store import CorruptFile, State, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The rows of a folder's plans; rows of earlier definitions are left out."""

    store: Store
    plans: Mapping[str, Mapping[str, Any]]
    metrics: pd.DataFrame  # a row per model and evaluated epoch
    models: pd.DataFrame  # the last row of each finished model, with `error` = misses / n_test
    wrong: Mapping[str, NDArray[np.bool_]]  # by run_id: the test images that were missed, (n_test,)
    predicted: Mapping[str, NDArray[np.uint8]]  # by run_id: the class predicted for each test image
    state: State
    records: Records = field(default_factory=Records)
    misplaced: tuple[CorruptFile, ...] = ()  # copies, which are not counted, and other names
    unverified: int = 0  # files from before there were digests

    def __repr__(self) -> str:
        return folder_text(self)

    def _repr_html_(self) -> str:
        return folder_html(self)

    @property
    def corrupt(self) -> tuple[CorruptFile, ...]:
        return self.state.corrupt

    @property
    def cells(self) -> list[Mapping[str, Any]]:
        """Return the planned cells, each once, with its members of all plans."""
        found: dict[str, dict[str, Any]] = {}
        for plan in self.plans.values():
            for cell in plan["cells"]:
                earlier = found.get(cell["cell_id"], {"members": []})["members"]
                members = {m["run_id"]: m for m in (*earlier, *cell["members"])}
                found[cell["cell_id"]] = {**cell, "members": list(members.values())}
        return list(found.values())

    @property
    def cell_of(self) -> dict[str, Mapping[str, Any]]:
        """Return the planned cell of each model, by run_id."""
        return {member["run_id"]: cell for cell in self.cells for member in cell["members"]}

    def of(self, studies: Collection[str]) -> "Results":
        """Return the part of these studies."""
        runs = {
            member["run_id"]
            for name in studies
            for cell in self.plans[name]["cells"]
            for member in cell["members"]
        }
        return replace(
            self,
            plans={name: self.plans[name] for name in studies},
            metrics=self.metrics[self.metrics["run_id"].isin(runs)],
            models=self.models[self.models["run_id"].isin(runs)],
        )

    @property
    def study_models(self) -> pd.DataFrame:
        """Return the models of studies, without those of tunings alone."""
        return self._of_studies().models.reset_index(drop=True)

    @property
    def study_cells(self) -> list[Mapping[str, Any]]:
        """Return the planned cells of studies, without those of tunings alone."""
        return self._of_studies().cells

    def _of_studies(self) -> "Results":
        return self.of([name for name, plan in self.plans.items() if "tuning" not in plan])

    def counts(self) -> dict[str, int]:
        """Return the numbers of planned cells: finished, failed and missing."""
        return self.state.count({"cells": self.cells})


@steady_memory()
def load(out: str | Path | Store) -> Results:
    """Read a results folder or URI; unreadable files are listed in `corrupt`.

    Raises InputError for a folder without a plan, whose models cannot be grouped.
    """
    store = out if isinstance(out, Store) else Store(out)
    contents = store.contents()
    plans, state = contents.plans, contents.state
    if not plans:
        damaged = "; ".join(str(file) for file in contents.corrupt if file.kind == "studies")
        raise InputError(
            f"{store.out} holds no study{damaged and f': {damaged}'}: expected studies/NAME.json,"
            f" which `scaling sweep STUDY --out {store.out}` writes"
        )
    planned = {
        member["run_id"]
        for plan in plans.values()
        for cell in plan["cells"]
        for member in cell["members"]
    }
    finished = planned & state.finished
    wrong, predicted = predictions_by_model(rows_of(contents.predictions, finished))
    misplaced, unverified = contents.misplaced, contents.unverified
    records = records_of(contents)
    table = rows_of(contents.metrics, finished)
    columns = dict(zip(table.column_names, table.columns, strict=True))
    del contents, table  # whose memory the frame takes, column by column
    rows = as_frame(columns, ("dataset", "recipe", "width", "n_train", "seed", "epoch"))
    models = rows[rows["epoch"] == rows["epochs"]].reset_index(drop=True)
    models = models.assign(error=models["test_misses"] / models["n_test"])
    return Results(
        store=store,
        plans=plans,
        metrics=rows,
        models=models,
        wrong=wrong,
        predicted=predicted,
        state=state,
        records=records,
        misplaced=misplaced,
        unverified=unverified,
    )
