"""Models trained again as their rows state, and every stored value compared.

The population engine gives equal bits only for a model at the same place among as many others. Rows
do not name the models that trained together, but models in lock-step have equal times, to the last
digit.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from scaling import engines
from scaling.data import datasets
from scaling.engines import NumericFailure, Trained
from scaling.errors import InputError
from scaling.models.registry import find_model
from scaling.models.weights import Weights
from scaling.pretraining import train_start
from scaling.recipes.tricks import TRICKS
from scaling.store.store import pack_correct
from scaling.study import Cell, Member, make_members
from scaling.verifying.bounds import Unequal, beyond_bounds
from scaling.verifying.folder import StoredModel
from scaling.verifying.plans import Planned


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Models of one cell that are trained together, in this order."""

    models: tuple[StoredModel, ...]
    planned: tuple[Planned, ...]
    only: bool = False  # no other model of the cell is planned or stored, so none trained beside it

    @property
    def cell(self) -> Cell:
        return self.planned[0].cell

    @property
    def engine(self) -> str:
        return str(self.models[0].last["engine"])

    @property
    def device(self) -> str:
        return str(self.models[0].last["device"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A model that was trained again: its misses now, and each stored value that differs.

    `beyond` holds the differences that rounding cannot explain.
    """

    model: StoredModel
    planned: Planned
    engine: str
    misses: int | None  # on the test set; None where the training failed
    unequal: tuple[Unequal, ...]
    beyond: tuple[Unequal, ...] = ()


def make_lots(
    models: Mapping[str, StoredModel], planned: Mapping[str, Planned], *, alone: bool = False
) -> list[Lot]:
    """Return every model that can be trained again, together with those in lock-step with it.

    With `alone` each lot has one model.
    """
    together: dict[Any, list[str]] = {}
    for run, model in models.items():
        if run not in planned or model.prediction is None:
            continue
        times = tuple((row["epoch"], row["wall_s"], row["cpu_s"]) for row in model.rows)
        single = alone or model.last["engine"] != "population"
        key = run if single else (planned[run].cell.cell_id, model.last["device"], times)
        together.setdefault(key, []).append(run)
    of_cell: dict[str, set[str]] = {}
    for run in planned:
        of_cell.setdefault(planned[run].cell.cell_id, set()).add(run)
    for run, model in models.items():  # a plan that was rewritten with fewer seeds lacks some
        of_cell.setdefault(str(model.last["cell_id"]), set()).add(run)
    found = []
    for runs in together.values():
        runs.sort(key=lambda run: planned[run].place)
        found.append(
            Lot(
                models=tuple(models[run] for run in runs),
                planned=tuple(planned[run] for run in runs),
                only=len(of_cell[planned[runs[0]].cell.cell_id]) == 1,
            )
        )
    return found


def training_obstacle(lot: Lot, engine: str) -> str | None:
    """Return why an engine cannot train these models today; None if it can."""
    cell = lot.cell
    try:
        model = find_model(cell.model)
        if engine not in engines.NAMES:
            return f"engine {engine} is unknown here"
        if reason := engines.unsupported_reason(engine, cell, "cpu"):
            return f"engine {engine}: {reason}"
        if model.version != cell.model_version:
            return f"model {cell.model} is version {model.version} here, not {cell.model_version}"
        for name, stored in cell.recipe.tricks:
            if name in TRICKS and TRICKS[name].version != stored:
                return f"trick {name} is version {TRICKS[name].version} here, not {stored}"
        for of, source in ((cell, lot.planned[0].source), (cell.start, _start_of(lot))):
            if of and (info := datasets.find(source)[1]).version != of.data_version:
                return (
                    f"{of.dataset} is version {info.version[:12]} here, not {of.data_version[:12]}"
                )
    except InputError as error:
        return " ".join(str(error).split())
    return None


def train_again(
    lot: Lot, engine: str, starts: dict[str, Weights], done: Callable[[], None] = lambda: None
) -> Iterator[Again]:
    """Train the models of a lot by an engine, and compare each with its stored results.

    `starts` keeps pretrained weights by run_id; `done` is called for each evaluated epoch of each
    model.
    """
    cell, members = lot.cell, [planned.member for planned in lot.planned]
    by_member = dict(zip(members, zip(lot.models, lot.planned, strict=True), strict=True))
    epochs = sorted({row["epoch"] for model in lot.models for row in model.rows} - {None})
    start = partial(_start, cell.start, _start_of(lot), starts) if cell.start else None
    for result in engines.train(
        cell,
        members,
        datasets.load(lot.planned[0].source, cell.n_train),
        engine=engine,
        device="cpu",
        epochs_evaluated=epochs,
        observe=lambda *_: done(),
        start=start,
    ):
        model, planned = by_member[result.member]
        yield Again(
            model=model,
            planned=planned,
            engine=engine,
            misses=None if isinstance(result, NumericFailure) else _misses(result),
            unequal=tuple(differences(model, result)),
            beyond=tuple(beyond_bounds(model, result)),
        )


def differences(model: StoredModel, result: Trained | NumericFailure) -> Iterator[Unequal]:
    """Yield each stored value of a model that differs after training it again."""
    if isinstance(result, NumericFailure):
        yield "trained again", result.error, "a model that is stored"
        return
    evaluated = {evaluation.epoch: evaluation for evaluation in result.history}
    for row in model.rows:
        evaluation = evaluated.get(row["epoch"])
        if evaluation is None:
            yield "epoch", result.history[-1].epoch, row["epoch"]
            continue
        for part in ("train", "val", "test"):
            score = getattr(evaluation, part)
            for what in ("loss", "misses", "n"):
                name = "n_test" if (part, what) == ("test", "n") else f"{part}_{what}"
                got = getattr(score, what) if score else None
                stored = row[name] if score or part != "test" else None
                if got != stored and (score or stored is not None):
                    yield f"{name} of epoch {row['epoch']}", got, stored
    assert model.prediction
    stored_M = np.frombuffer(model.prediction["predicted"], np.uint8)
    if stored_M.shape != result.predicted.shape:
        yield "images predicted", len(result.predicted), len(stored_M)
    elif (wrong := np.flatnonzero(stored_M != result.predicted)).size:
        first = int(wrong[0])
        yield (
            f"predicted on {len(wrong)} images, image {first}",
            int(result.predicted[first]),
            int(stored_M[first]),
        )
    if pack_correct(result.correct) != model.prediction["correct"]:
        n = int(np.count_nonzero(result.correct))
        yield "bits of correct", f"{n} correct", "other images"


def _misses(result: Trained) -> int:
    return result.history[-1].test.misses


def _start_of(lot: Lot) -> str:
    return lot.planned[0].start_source


def _start(start: Cell, source: str, known: dict[str, Weights], member: Member) -> Weights:
    """Return a member's pretrained weights, trained anew and not taken from the cache."""
    (earlier,) = make_members(start.recipe, [member.seed])
    run_id = start.run_id(earlier)
    if run_id not in known:
        known[run_id] = train_start(start, source, earlier)
    return known[run_id]
