"""A fitted curve: its parameters, intervals and predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from analysis.arrays import Floats
from analysis.laws.forms import find_form
from analysis.laws.validation import check_level, numbers
from analysis.laws.widening import quantile, read_bank
from analysis.present.fit_plot import plot_fit
from scaling.errors import InputError

Status = Literal["converged", "at_bound", "stopped", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The error at sizes x, with its interval; all (N,), x (2, N) for a joint form.

    Beyond the fitted sizes, `low` and `high` are widened by the errors of extrapolations of other
    curves; `nominal` is the interval before that.
    """

    x: Floats
    y: Floats
    low: Floats
    high: Floats
    level: float
    nominal: tuple[Floats, Floats]
    k: float  # of the widening sd^2 + (k ln r)^2


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A fitted form. Intervals are quantiles of replicates; None is unbounded or unknown."""

    form: str
    objective: str
    status: Status
    params: dict[str, float]
    intervals: dict[str, tuple[float | None, float | None]]
    standard_errors: dict[str, float | None]
    level: float
    n_points: int
    x_range: tuple[float, float]
    residual: float  # root mean square of the log residuals
    noise: str  # the source of the replicates
    n_replicates: int
    n_failed: int  # replicates without a fit, left out of the intervals
    replicates: Floats = field(repr=False)  # (R, P)
    points: tuple[Floats, Floats] = field(repr=False)

    def predict(
        self,
        x: ArrayLike | Sequence[ArrayLike],
        level: float | None = None,
        group: Mapping[str, object] | None = None,
    ) -> Prediction:
        """Return the fitted curve and its interval at sizes x, calibrated beyond the fitted range.

        `group` names the curve: for one of the bank, the calibration leaves out its data set.
        Raises InputError for sizes that are not positive, or a level that is no share.
        """
        level = check_level(self.level if level is None else level)
        form = find_form(self.form)
        sizes = numbers("predict: sizes", x)
        shape = (-1,) if form.variables == 1 else (2, -1)
        if sizes.ndim > len(shape) or (form.variables == 2 and sizes.shape[:1] != (2,)):
            raise InputError(
                f"predict: sizes of shape {sizes.shape}, {form.name} is of {form.variables}"
                f" variable(s): expected {'a vector' if form.variables == 1 else 'a pair (x, x2)'}"
            )
        sizes = sizes.reshape(shape)
        if not (np.isfinite(sizes).all() and (sizes > 0).all()):
            raise InputError(f"predict: sizes must be positive and finite, got {sizes}")
        centre = form.predict(sizes, np.array([list(self.params.values())]))[0]
        low, high = np.full_like(centre, np.nan), np.full_like(centre, np.nan)
        if len(self.replicates):
            drawn = form.predict(sizes, self.replicates)
            low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
        fitted = np.atleast_2d(self.points[0])
        ahead = np.log(np.maximum(np.atleast_2d(sizes) / fitted.max(axis=1)[:, None], 1))
        k = read_bank().widening(self.form, group)
        more = quantile(level) * k * np.sqrt((ahead**2).sum(axis=0))
        with np.errstate(divide="ignore", invalid="ignore"):
            below = np.hypot(np.log(centre / low), more)
            above = np.hypot(np.log(high / centre), more)
        beyond = more > 0
        return Prediction(
            x=sizes,
            y=centre,
            low=np.where(beyond, centre * np.exp(-below), low),
            high=np.where(beyond, centre * np.exp(above), high),
            level=level,
            nominal=(low, high),
            k=k,
        )

    def as_row(self, group: Mapping[str, object]) -> dict[str, Any]:
        """Return a row of `scaling fit --json`; a floor whose interval touches 0 is a bound."""
        sizes = np.atleast_2d(self.points[0])
        ranges = [[float(row.min()), float(row.max())] for row in sizes]
        return ({"x2_range": ranges[1]} if len(ranges) > 1 else {}) | {
            "group": dict(group),
            "form": self.form,
            "objective": self.objective,
            "status": self.status,
            "n_points": self.n_points,
            "x_range": list(self.x_range),
            "params": self.params,
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "level": self.level,
            "standard_errors": self.standard_errors,
            "upper_bounds": self._upper_bounds(),
            "noise": self.noise,
            "residual": self.residual,
            "replicates": self.n_replicates,
            "replicates_failed": self.n_failed,
        }

    def _upper_bounds(self) -> list[str]:
        """Return the parameters whose interval touches 0, apart from exponents."""
        return [
            each.name
            for each in find_form(self.form).parameters
            if each.may_be_zero and not each.is_exponent
            if self.intervals.get(each.name, (None, None))[0] == 0
        ]

    def plot(self, ax: Any = None) -> Any:
        """Draw points, curve and band on log-log axes; return the matplotlib axes.

        Without `ax` a notebook shows them, and their `savefig` writes a file.
        Raises InputError for a joint form.
        """
        if find_form(self.form).variables > 1:
            raise InputError(
                f"plot: {self.form} is a surface and has no curve: draw predict((x, x2))"
            )
        return plot_fit(self, ax)
