"""The curves of a results folder: error against n_train, with everything else fixed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from analysis.equations import Floats
from analysis.fit import Fit, fit
from analysis.forms import FORMS
from analysis.limits import can_be_fitted, floor_of, limit_of, open_ended
from analysis.load import Results
from analysis.series import Series, make_series
from analysis.uncertainty import Summary, Wrong, crossed_bootstrap, half_a_miss, is_thin, summarise

FIXED = ["dataset", "test_set_id", "split", "model", "width", "recipe", "epochs", "batch_size"]
OF_MEMBERS = ["lr", "weight_decay"]
LEVEL = 0.9
REPLICATES = 2000
DRAWN = ("power_law", "power_law_floor")  # the forms that the report shows


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

    @property
    def recipe(self) -> str:
        return str(self.fixed["recipe"])

    @property
    def errors(self) -> Floats:
        return np.array([summary.error for summary in self.summaries])

    @property
    def least(self) -> float:
        """The error that stands for none."""
        return half_a_miss(self.n_test)

    @property
    def n_test(self) -> int:
        return int(self.models["n_test"].iloc[0])

    @property
    def thin(self) -> list[bool]:
        """At which sizes hardly an image was missed."""
        return [is_thin(error, self.n_test) for error in self.errors]

    @property
    def limit(self) -> float:
        """Below which nothing is known, as hardly an image was missed; 0 where some were."""
        return limit_of(self.errors, self.n_test, LEVEL)

    def fitted(self, form: str) -> Fit | None:
        return next((found for found in self.fits if found.form == form), None)

    @property
    def drawn(self) -> Fit | None:
        """The fit that figures show: with a floor where there are sizes enough to tell."""
        enough = len(self.n_train) > len(FORMS["power_law_floor"].names)
        return self.fitted("power_law_floor" if enough else "power_law")


def find_curves(results: Results, forms: Sequence[str] = DRAWN) -> list[Curve]:
    """Every curve of the measured models, fitted with each form that has sizes enough."""
    groups = list(_groups(results.measured))
    curves: list[Curve] = []
    for test_set in dict.fromkeys(models["test_set_id"].iloc[0] for _, models in groups):
        alike = [g for g in groups if g[1]["test_set_id"].iloc[0] == test_set]
        cells = [_cells(models, results) for _, models in alike]
        drawn = crossed_bootstrap(
            [[wrong for _, wrong in curve] for curve in cells], replicates=REPLICATES, level=LEVEL
        )
        for (key, models), sizes, replicates in zip(alike, cells, drawn, strict=True):
            curves.append(_curve(key, models, sizes, replicates, forms))
    return curves


def noise_of(replicates_RN: Floats) -> Floats | None:
    """The replicates; None where those of a size agree, as models do that all miss nothing."""
    return replicates_RN if np.ptp(replicates_RN, axis=0).all() else None


def _groups(measured: pd.DataFrame) -> Iterator[tuple[dict[str, object], pd.DataFrame]]:
    """Models that differ in n_train and seed only.

    Learning rate and weight decay may be tuned for each size. Where they tell models of one size
    and seed apart, there is a curve for each of them.
    """
    for key, models in measured.groupby(FIXED, sort=False):
        fixed = dict(zip(FIXED, key, strict=True))
        if not models.duplicated(["n_train", "seed"]).any():
            yield fixed, models
            continue
        for values, apart in models.groupby(OF_MEMBERS, sort=False):
            yield fixed | dict(zip(OF_MEMBERS, values, strict=True)), apart


def _cells(models: pd.DataFrame, results: Results) -> list[tuple[int, Wrong]]:
    """By size, which images each seed's model missed."""
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
    fixed: dict[str, object],
    models: pd.DataFrame,
    sizes: list[tuple[int, Wrong]],
    replicates: Floats,
    forms: Sequence[str],
) -> Curve:
    n_train = tuple(n for n, _ in sizes)
    summaries = tuple(summarise(wrong, LEVEL) for _, wrong in sizes)
    means, n_test = np.array([s.error for s in summaries]), int(models["n_test"].iloc[0])
    errors, floor = np.maximum(means, half_a_miss(n_test)), floor_of(models, LEVEL)
    fits = tuple(
        open_ended(
            fit(n_train, errors, form=form, level=LEVEL, replicates=noise_of(replicates)),
            limit_of(means, n_test, LEVEL),
            floor,
        )
        for form in forms
        if can_be_fitted(means) and len(sizes) >= max(3, FORMS[form].n_free)
    )
    return Curve(
        fixed=fixed,
        n_train=n_train,
        summaries=summaries,
        models=models,
        replicates=replicates,
        fits=fits,
        floor=floor,
    )


def series_of(curve: Curve) -> Series:
    """A curve as anybody's points: mean errors with their standard errors over images and seeds."""
    se = np.maximum(curve.replicates.std(axis=0, ddof=1), 1e-12)
    series = make_series(curve.fixed, list(curve.n_train), list(curve.errors), list(se))
    return replace(series, limit=curve.limit)
