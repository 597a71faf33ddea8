"""A results folder as tables: the models that its plans name, and what is missing of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling.errors import InputError
from scaling.store import State, Store, Torn, state_of, unpack_correct


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What a results folder holds of its plans; rows of earlier definitions are left out."""

    store: Store
    plans: Mapping[str, Mapping[str, Any]]
    metrics: pd.DataFrame  # a row per model and evaluated epoch
    models: pd.DataFrame  # the last row of each finished model, with `error` = misses / n_test
    wrong: Mapping[str, NDArray[np.bool_]]  # by run_id: which test images were missed, (n_test,)
    state: State

    @property
    def torn(self) -> tuple[Torn, ...]:
        return self.state.torn

    @property
    def cells(self) -> list[Mapping[str, Any]]:
        """The planned cells, each once, with their members."""
        return list(
            {c["cell_id"]: c for plan in self.plans.values() for c in plan["cells"]}.values()
        )

    @property
    def measured(self) -> pd.DataFrame:
        """The models of studies; those that only a tuning names were there to be chosen from."""
        planned = {
            member["run_id"]
            for plan in self.plans.values()
            if "tuning" not in plan
            for cell in plan["cells"]
            for member in cell["members"]
        }
        return self.models[self.models["run_id"].isin(planned)].reset_index(drop=True)

    def counts(self) -> dict[str, int]:
        """Planned cells: finished, failed and missing."""
        return self.state.count({"cells": self.cells})


def load(out: str | Path | Store) -> Results:
    """Read a results folder or URI. Files that cannot be read are named in `torn`.

    Raises InputError where there is no plan, as then nothing says what belongs together.
    """
    store = out if isinstance(out, Store) else Store(out)
    plans = store.read_plans()
    if not plans:
        raise InputError(
            f"{store.out} holds no study: expected studies/NAME.json, which"
            f" `scaling sweep STUDY --out {store.out}` writes"
        )
    metrics, predictions = store.read("metrics"), store.read("predictions")
    state = state_of(metrics, predictions, store.read("failures"))
    planned = {
        member["run_id"]
        for plan in plans.values()
        for cell in plan["cells"]
        for member in cell["members"]
    }
    finished = planned & state.finished
    table = metrics.table.to_pandas()
    rows = table[table["run_id"].isin(finished)].sort_values(
        ["dataset", "recipe", "width", "n_train", "seed", "epoch"], ignore_index=True
    )
    models = rows[rows["epoch"] == rows["epochs"]].reset_index(drop=True)
    models = models.assign(error=models["test_misses"] / models["n_test"])
    wrong = {
        row["run_id"]: ~unpack_correct(row["correct"], row["n_test"])
        for row in predictions.table.to_pylist()
        if row["run_id"] in finished
    }
    return Results(store=store, plans=plans, metrics=rows, models=models, wrong=wrong, state=state)
