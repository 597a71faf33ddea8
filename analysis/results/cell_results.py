"""The measured cells of a results folder, by study: what each plan asked for, and what is there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from analysis.results.identity import as_planned, facts_of, only_one
from analysis.results.load import Results
from analysis.stats.bootstrap import Summary, Wrong, summarise
from scaling.study import complete, is_built_in

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
PLACE = ("dataset", "test_set_id", "split", "n_train", "width", "recipe")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # tables have no one truth value
class CellResult:
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
    entry: Mapping[str, Any] = field(default_factory=dict, repr=False)  # of the plan

    @property
    def planned_cell(self) -> Mapping[str, Any]:
        """All that it was planned as; without a plan, as much of that as is known."""
        if self.entry:
            return self.entry
        names = ("dataset", "test_set_id", "n_test", "split", "n_train", "width", "model", "recipe")
        planned = as_planned({n: getattr(self, n) for n in (*names, "epochs", "batch_size")})
        planned["recipe"]["tricks"] = tuple((name, 1) for name in self.tricks)
        return planned

    @property
    def facts(self) -> dict[str, Any]:
        """Return the fields that tell it from other cells, by name."""
        return facts_of(self.planned_cell, lr=self.lr, weight_decay=self.weight_decay)

    @property
    def is_built_in(self) -> bool:
        """Whether its recipe is the one that the recipe's name stands for."""
        return is_built_in(complete(self.planned_cell)["recipe"])

    @property
    def cell_id(self) -> str:
        return str(self.models["cell_id"].iloc[0])

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


class Ambiguous(Exception):
    """Several cells of a study answer to one name, and none of them is the one meant by it."""

    def __init__(self, study: str, cell: CellResult, cells: int) -> None:
        super().__init__(
            f"cannot be told: {cells} cells of {study} with {cell.n_train:,} images are called"
            f" {cell.recipe}, and none is the recipe of that name as published"
        )


def the_one(study: str, cells: Sequence[CellResult]) -> CellResult:
    """The cell that is meant by the name that these share. Raises Ambiguous if several are."""
    one = only_one(cells)
    if one is None:
        raise Ambiguous(study, cells[0], len(cells))
    return one


class Cells:
    """Every cell that has a finished model, study by study, in the order of the plans."""

    def __init__(self, results: Results) -> None:
        rows = {run: row for row, run in enumerate(results.models["run_id"])}
        self._by_study = {
            name: [
                measured
                for cell in plan["cells"]
                for measured in _measured(name, cell, rows, results)
            ]
            for name, plan in results.plans.items()
        }

    @property
    def studies(self) -> tuple[str, ...]:
        return tuple(self._by_study)

    def find(self, study: str, **where: Any) -> list[CellResult]:
        """The cells of a study whose fields have these values; none if it is not there."""
        return [
            cell
            for cell in self._by_study.get(study, ())
            if all(getattr(cell, name) == value for name, value in where.items())
        ]

    def first(self, study: str, **where: Any) -> CellResult | None:
        """The first such cell, on the largest test set that it was tested on.

        Where several cells have its place and its recipe's name, it is the one that is meant by
        that name. Raises Ambiguous if that cannot be told.
        """
        found = self.find(study, **where)
        first = max(found, key=lambda cell: cell.n_test, default=None)
        if first is None:
            return None
        alike = [c for c in found if all(getattr(c, n) == getattr(first, n) for n in PLACE)]
        return the_one(study, alike)


def every_cell(results: Results) -> list[CellResult]:
    """Each cell that has a finished model once, with its models of all studies but tunings."""
    results = results.of([name for name, plan in results.plans.items() if "tuning" not in plan])
    rows = {run: row for row, run in enumerate(results.models["run_id"])}
    return [measured for cell in results.cells for measured in _measured("", cell, rows, results)]


def described(cell: CellResult) -> dict[str, Any]:
    """A cell and its mean test error with its interval, as JSON."""
    summary = cell.summary
    names = ("dataset", "test_set_id", "n_test", "split", "n_train", "width", "model", "recipe")
    more = ("epochs", "batch_size", "lr", "weight_decay", "n_params", "n_macs", "planned")
    return {"cell_id": cell.cell_id, **{name: getattr(cell, name) for name in (*names, *more)}} | {
        "seeds": cell.n_seeds,
        "mean": summary.error * cell.n_test,
        "error": summary.error,
        "low": summary.low,
        "high": summary.high,
    }


def _measured(
    study: str, cell: Mapping[str, Any], rows: Mapping[str, int], results: Results
) -> Iterator[CellResult]:
    """A planned cell, apart by learning rate and weight decay, which belong to its members."""
    recipe = cell["recipe"]
    alike: dict[tuple[float, float], list[Mapping[str, Any]]] = {}
    for member in cell["members"]:
        alike.setdefault((member["lr"], member["weight_decay"]), []).append(member)
    for (lr, weight_decay), members in alike.items():
        finished = sorted(
            (member["seed"], member["run_id"]) for member in members if member["run_id"] in rows
        )
        if not finished:
            continue
        yield CellResult(
            study=study,
            **{name: cell[name] for name in AS_PLANNED},
            recipe=recipe["name"],
            tricks=tuple(name for name, _ in recipe["tricks"]),
            epochs=recipe["epochs"],
            batch_size=recipe["batch_size"],
            lr=lr,
            weight_decay=weight_decay,
            planned=len(members),
            models=results.models.iloc[[rows[run] for _, run in finished]],
            wrong={seed: results.wrong[run] for seed, run in finished},
            entry=cell,
        )
