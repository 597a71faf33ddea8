"""The measured cells of a results folder, by study: what each plan asked for, and what is there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from analysis.load import Results
from analysis.uncertainty import Summary, Wrong, summarise

LEVEL = 0.9
AS_PLANNED = (
    "dataset",
    "source",
    "test_set_id",
    "n_test",
    "split",
    "n_train",
    "width",
    "model",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # tables have no one truth value
class Measured:
    """A cell of a study with the models that are finished; one learning rate, one per seed."""

    study: str
    dataset: str
    source: str  # the name of the data set, or the path of a file
    test_set_id: str
    n_test: int
    split: str
    n_train: int
    width: float
    model: str
    recipe: str
    tricks: tuple[str, ...]
    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    planned: int  # models that the plan asks for
    models: pd.DataFrame = field(repr=False)  # a row per finished model, by seed
    wrong: Wrong = field(repr=False)

    @property
    def n_seeds(self) -> int:
        return len(self.models)

    @property
    def misses(self) -> list[int]:
        """Test misses by seed."""
        return [int(m) for m in self.models["test_misses"]]

    @property
    def train_misses(self) -> list[int]:
        return [int(m) for m in self.models["train_misses"]]

    @property
    def error(self) -> float:
        return float(np.mean(self.misses)) / self.n_test

    @property
    def n_macs(self) -> int:
        return int(self.models["n_macs"].iloc[0])

    @property
    def n_params(self) -> int:
        return int(self.models["n_params"].iloc[0])

    @property
    def summary(self) -> Summary:
        return summarise(self.wrong, LEVEL)


class Cells:
    """Every cell that has a finished model, study by study, in the order of the plans."""

    def __init__(self, results: Results) -> None:
        by_run = results.models.set_index("run_id", drop=False)
        self._by_study = {
            name: [
                measured
                for cell in plan["cells"]
                for measured in _measured(name, cell, by_run, results)
            ]
            for name, plan in results.plans.items()
        }

    @property
    def studies(self) -> tuple[str, ...]:
        return tuple(self._by_study)

    def find(self, study: str, **where: Any) -> list[Measured]:
        """The cells of a study whose fields have these values; none if it is not there."""
        return [
            cell
            for cell in self._by_study.get(study, ())
            if all(getattr(cell, name) == value for name, value in where.items())
        ]

    def first(self, study: str, **where: Any) -> Measured | None:
        """The first such cell, on the largest test set that it was tested on."""
        found = self.find(study, **where)
        return max(found, key=lambda cell: cell.n_test, default=None)


def _measured(
    study: str, cell: Mapping[str, Any], by_run: pd.DataFrame, results: Results
) -> Iterator[Measured]:
    """A planned cell, apart by learning rate and weight decay, which belong to its members."""
    members = pd.DataFrame(cell["members"])
    recipe = cell["recipe"]
    for _, planned in members.groupby(["lr", "weight_decay"], sort=False):
        finished = [run for run in planned["run_id"] if run in by_run.index]
        if not finished:
            continue
        models = by_run.loc[finished].sort_values("seed").reset_index(drop=True)
        yield Measured(
            study=study,
            **{name: cell[name] for name in AS_PLANNED},
            recipe=recipe["name"],
            tricks=tuple(name for name, _ in recipe["tricks"]),
            epochs=recipe["epochs"],
            batch_size=recipe["batch_size"],
            lr=float(planned["lr"].iloc[0]),
            weight_decay=float(planned["weight_decay"].iloc[0]),
            planned=len(planned),
            models=models,
            wrong={
                int(seed): results.wrong[run]
                for seed, run in zip(models["seed"], models["run_id"], strict=True)
            },
        )
