"""The curves of a results folder: error against n_train, with everything else fixed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.arrays import Floats
from analysis.laws.fit import Fit, fit
from analysis.laws.forms import FORMS
from analysis.laws.learning_curve import Series, make_series
from analysis.laws.limits import can_be_fitted, floor_of, limit_of, widen_to_limit
from analysis.present.labels import differing_fields, labels, start_words
from analysis.results.identity import OF_A_CURVE, RATES, curve_id, facts_of, planned_from_facts
from analysis.results.load import Results
from analysis.stats.bootstrap import (
    Summary,
    Wrong,
    crossed_bootstrap,
    error_floor,
    is_thin,
    summarise,
)
from scaling.study import complete, is_built_in

# The fields printed for every curve; others are added where they distinguish it.
FIXED = ("dataset", "test_set_id", "split", "model", "width", "recipe", "epochs", "batch_size")
LEVEL = 0.9
REPLICATES = 2000
REPORT_FORMS = ("power_law", "power_law_floor")  # the forms that the report shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Cells that differ in n_train only, by size, with replicates of their mean errors."""

    fixed: dict[str, object]
    n_train: tuple[int, ...]
    summaries: tuple[Summary, ...]
    models: pd.DataFrame = field(repr=False)  # a row per model
    replicates: Floats = field(repr=False)  # (R, sizes)
    fits: tuple[Fit, ...] = ()
    floor: float = 0.0  # the least upper end of a floor, where some model missed nothing
    entry: Mapping[str, Any] = field(default_factory=dict, repr=False)  # of a cell, in its plan

    @property
    def planned_cell(self) -> Mapping[str, Any]:
        """Return the plan of one of its cells; without a plan, the part in `fixed`."""
        return self.entry or planned_from_facts(self.fixed)

    @property
    def facts(self) -> dict[str, Any]:
        """Return the fields that distinguish it from other curves, by name, without its size."""
        rates = {name: self.fixed[name] for name in RATES if name in self.fixed}
        found = facts_of(self.planned_cell, **rates)
        return {name: value for name, value in found.items() if name not in OF_A_CURVE}

    @property
    def is_built_in(self) -> bool:
        """Return whether its recipe is the built-in one of that name; True without a plan."""
        return not self.entry or is_built_in(complete(self.entry)["recipe"])

    @property
    def lr(self) -> float:
        return float(self.models["lr"].iloc[0])

    @property
    def weight_decay(self) -> float:
        return float(self.models["weight_decay"].iloc[0])

    @property
    def recipe(self) -> str:
        return str(self.fixed["recipe"])

    @property
    def errors(self) -> Floats:
        return np.array([summary.error for summary in self.summaries])

    @property
    def least(self) -> float:
        """Return the error that stands for none."""
        return error_floor(self.n_test)

    @property
    def n_test(self) -> int:
        return int(self.models["n_test"].iloc[0])

    @property
    def thin(self) -> list[bool]:
        """Return at which sizes hardly an image was missed."""
        return [is_thin(error, self.n_test) for error in self.errors]

    @property
    def limit(self) -> float:
        """Return the limit of the test set where hardly an image was missed; else 0."""
        return limit_of(self.errors, self.n_test, LEVEL)

    def find_fit(self, form: str) -> Fit | None:
        """Return the fit of a form; None without one."""
        return next((found for found in self.fits if found.form == form), None)

    @property
    def shown_fit(self) -> Fit | None:
        """Return the fit that figures show: with a floor where there are enough sizes."""
        enough = len(self.n_train) > len(FORMS["power_law_floor"].names)
        return self.find_fit("power_law_floor" if enough else "power_law")


def find_curves(results: Results, forms: Sequence[str] = REPORT_FORMS) -> list[Curve]:
    """Return every curve of the studies, fitted with each form that has enough sizes."""
    groups = _add_differences(list(_groups(results)))
    curves: list[Curve] = []
    for test_set in dict.fromkeys(group.fixed["test_set_id"] for group in groups):
        alike = [group for group in groups if group.fixed["test_set_id"] == test_set]
        cells = [_cells(group.models, results) for group in alike]
        drawn = crossed_bootstrap(
            [[wrong for _, wrong in curve] for curve in cells], replicates=REPLICATES, level=LEVEL
        )
        for group, sizes, replicates in zip(alike, cells, drawn, strict=True):
            curves.append(_curve(group, sizes, replicates, forms))
    return curves


def noise_of(replicates_RN: Floats) -> Floats | None:
    """Return the replicates; None where those of a size are all equal, as without any miss."""
    return replicates_RN if np.ptp(replicates_RN, axis=0).all() else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Group:
    """The models of a curve, before its fits."""

    fixed: dict[str, object]
    entry: Mapping[str, Any]
    models: pd.DataFrame


def _groups(results: Results) -> Iterator[_Group]:
    """Yield the models of each curve, whose cells differ in n_train only.

    Learning rate and weight decay may be tuned for each size; where one size has several, each of
    them has a curve.
    """
    models_of_all, cell_of = results.study_models, results.cell_of
    cells = {id(cell): cell for cell in cell_of.values()}
    ids = {key: curve_id(cell) for key, cell in cells.items()}
    curves = models_of_all["run_id"].map(lambda run: ids[id(cell_of[run])])
    for _, models in models_of_all.groupby(curves, sort=False):
        first = models.iloc[0]
        entry = cell_of[first["run_id"]]
        fixed: dict[str, object] = {name: first[name] for name in FIXED}
        rates = models[["n_train", *RATES]].drop_duplicates()
        if not rates.duplicated("n_train").any():
            yield _Group(fixed=fixed, entry=entry, models=models)
            continue
        for values, apart in models.groupby(list(RATES), sort=False):
            own = dict(zip(RATES, values, strict=True))
            yield _Group(fixed=fixed | own, entry=entry, models=apart)


def _add_differences(groups: list[_Group]) -> list[_Group]:
    """Return the groups with the fields that distinguish those of equal `fixed`."""
    shared: dict[tuple[object, ...], list[_Group]] = {}
    for group in groups:
        shared.setdefault(tuple(group.fixed.values()), []).append(group)
    for alike in shared.values():
        facts = [facts_of(group.entry) for group in alike]
        names = {name for other in facts for name in differing_fields(facts[0], other)} - {
            *OF_A_CURVE
        }
        starts = start_words([own["start"] for own in facts])
        for group, own, start in zip(alike, facts, starts, strict=True):
            found = {name: own.get(name) for name in sorted(names)}
            if "start" in found:
                found["start"] = start or None
            if "tricks" in found:
                found["tricks"] = ", ".join(f"{name} {version}" for name, version in own["tricks"])
            group.fixed.update(found)
    return groups


def _cells(models: pd.DataFrame, results: Results) -> list[tuple[int, Wrong]]:
    """Return by size the images that each seed's model missed."""
    return [
        (
            int(str(n_train)),
            {
                int(seed): results.wrong[run_id]
                for seed, run_id in zip(cell["seed"], cell["run_id"], strict=True)
            },
        )
        for n_train, cell in models.groupby("n_train", sort=True)
    ]


def _curve(
    group: _Group,
    sizes: list[tuple[int, Wrong]],
    replicates: Floats,
    forms: Sequence[str],
) -> Curve:
    n_train = tuple(n for n, _ in sizes)
    summaries = tuple(summarise(wrong, LEVEL) for _, wrong in sizes)
    means, n_test = np.array([s.error for s in summaries]), int(group.models["n_test"].iloc[0])
    errors, floor = np.maximum(means, error_floor(n_test)), floor_of(group.models, LEVEL)
    fits = tuple(
        widen_to_limit(
            fit(n_train, errors, form=form, level=LEVEL, replicates=noise_of(replicates)),
            limit_of(means, n_test, LEVEL),
            floor,
        )
        for form in forms
        if can_be_fitted(means) and len(sizes) >= max(3, FORMS[form].n_free)
    )
    return Curve(
        fixed=group.fixed,
        n_train=n_train,
        summaries=summaries,
        models=group.models,
        replicates=replicates,
        fits=fits,
        floor=floor,
        entry=group.entry,
    )


def series_of(curve: Curve) -> Series:
    """Return a curve as points: mean errors with their standard errors over images and seeds."""
    se = np.maximum(curve.replicates.std(axis=0, ddof=1), 1e-12)
    series = make_series(curve.fixed, list(curve.n_train), list(curve.errors), list(se))
    return replace(series, limit=curve.limit)


def curve_titles(curves: Sequence[Curve]) -> list[str]:
    """Return the recipe of each curve, with the fields that tell it from the others."""
    return labels([curve.facts for curve in curves])


def curve_labels(curves: Sequence[Curve]) -> list[str]:
    """Return the titles with the number of epochs, for a legend."""
    named = zip(curve_titles(curves), (f"{c.fixed['epochs']} epochs" for c in curves), strict=True)
    return [title if epochs in title else f"{title}, {epochs}" for title, epochs in named]
