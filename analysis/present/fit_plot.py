"""A fitted curve with its points and its band."""

from typing import Any, Protocol

import numpy as np
from matplotlib.figure import Figure

from analysis.arrays import Floats
from analysis.present.display import NotebookAxes
from analysis.present.style import log_axes, styled


class Band(Protocol):
    """The errors at some sizes, with their interval; all (N,)."""

    @property
    def y(self) -> Floats: ...
    @property
    def low(self) -> Floats: ...
    @property
    def high(self) -> Floats: ...


class FittedCurve(Protocol):
    """A fit as a plot needs it; analysis.laws.fit_result.Fit is one."""

    @property
    def points(self) -> tuple[Floats, Floats]: ...
    @property
    def x_range(self) -> tuple[float, float]: ...
    def predict(self, x: Floats, /) -> Band: ...


@styled
def plot_fit(fit: FittedCurve, ax: Any = None) -> Any:
    """Draw points, curve and band of one fit on log-log axes; return the axes."""
    if ax is None:
        fig = Figure(figsize=(5, 3.6), layout="constrained")
        ax = fig.add_subplot(axes_class=NotebookAxes)
    ax.plot(*fit.points, "o", color="C0")
    draw_fit(ax, fit, "C0")
    log_axes(ax, list(fit.points[0]))
    return ax


def draw_fit(ax: Any, fit: FittedCurve, colour: Any, most: float = np.inf) -> None:
    """Draw a fit within the observed range: beyond it no interval has been tested.

    `most` is the largest possible value, such as 1 for an error.
    """
    x = np.geomspace(*fit.x_range, 100)
    band = fit.predict(x)
    y, low, high = (np.minimum(values, most) for values in (band.y, band.low, band.high))
    ax.plot(x, y, color=colour, lw=1.4, zorder=1)
    ax.fill_between(x, low, high, color=colour, alpha=0.15, lw=0, zorder=0)
