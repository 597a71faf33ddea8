"""The compute-optimal frontier: sizes, widths and epochs of least error for a budget of FLOP.

A surface is fitted over n_train and parameters for each number of epochs; parabolas through equal
budgets would be biased even without noise. Nothing is extrapolated: n_train stays within the
trained sizes, and widths and epochs are trained ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.arrays import Floats
from analysis.laws.fit import Fit, fit
from analysis.laws.forms import find_form
from analysis.laws.limits import widen_to_limit
from scaling.errors import InputError

COLUMNS = ("n_train", "n_params", "epochs", "train_flop", "error")
FINE = 200  # sizes to try, from the smallest to the largest


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The least error for a budget, with its interval and its place.

    `at_edge` is set where n_train is the smallest or largest: the optimum may lie beyond.
    """

    train_flop: float
    error: float
    low: float
    high: float
    n_train: float
    n_params: int
    epochs: int
    at_edge: bool


def frontier(
    cells: pd.DataFrame, budgets: Sequence[float], *, form: str = "additive", level: float = 0.9
) -> tuple[list[Best], dict[int, Fit]]:
    """Return the best of each affordable budget, and the surface of each number of epochs.

    `cells` has a row for each cell: n_train, n_params, epochs, train_flop, error (and se; and
    limit, that of the test set where hardly an image was missed).
    Raises InputError for missing columns, and where no surface can be fitted.
    """
    missing = [name for name in COLUMNS if name not in cells]
    if missing:
        raise InputError(f"frontier: no column {', '.join(missing)}; expected {', '.join(COLUMNS)}")
    surfaces = {
        int(str(epochs)): fit(
            (part["n_train"], part["n_params"]),
            part["error"],
            part.get("se"),
            form=form,
            level=level,
        )
        for epochs, part in cells.groupby("epochs")
        if len(part[["n_train", "n_params"]].drop_duplicates()) >= find_form(form).n_free
        and part["n_params"].nunique() > 1
    }
    if not surfaces:
        raise InputError(
            f"frontier: {form} needs {find_form(form).n_free} cells or more at one number of"
            " epochs, over several sizes and widths"
        )
    options = pd.concat(
        [
            _options(part, surfaces[int(str(epochs))])
            for epochs, part in cells.groupby("epochs")
            if epochs in surfaces
        ]
    )
    limit = float(cells["limit"].max()) if "limit" in cells else 0.0
    surfaces = {epochs: widen_to_limit(surface, limit) for epochs, surface in surfaces.items()}
    found = [_best(options, surfaces, budget, level) for budget in budgets]
    return [_open(best, limit) for best in found if best], surfaces


def _open(best: Best, limit: float) -> Best:
    """Return the best with an interval from 0 to the limit, where its error is below the limit."""
    if best.error > limit:
        return best
    return replace(best, low=0.0, high=max(best.high, limit))


def _options(part: pd.DataFrame, surface: Fit) -> pd.DataFrame:
    """Return the options at these epochs: every width at a fine range of sizes, with its cost."""
    rows = []
    for n_params, one in part.groupby("n_params"):
        flop_an_image = float((one["train_flop"] / one["n_train"]).median())
        n_train = np.geomspace(one["n_train"].min(), one["n_train"].max(), FINE)
        rows.append(
            pd.DataFrame(
                {
                    "n_train": n_train,
                    "n_params": int(str(n_params)),
                    "epochs": int(one["epochs"].iloc[0]),
                    "train_flop": n_train * flop_an_image,
                    "at_edge": (n_train == n_train[0]) | (n_train == n_train[-1]),
                }
            )
        )
    table = pd.concat(rows, ignore_index=True)
    sizes = table[["n_train", "n_params"]].T.to_numpy(float)
    return table.assign(error=_errors(surface, sizes))


def _errors(surface: Fit, sizes_2N: Floats) -> Floats:
    form = find_form(surface.form)
    errors: Floats = form.predict(sizes_2N, np.array([list(surface.params.values())]))[0]
    return errors


def _best(
    options: pd.DataFrame, surfaces: dict[int, Fit], budget: float, level: float
) -> Best | None:
    """Return the least error for the budget; None if it affords no option."""
    affordable = options[options["train_flop"] <= budget]
    if affordable.empty:
        return None
    row = affordable.loc[affordable["error"].to_numpy() == affordable["error"].min()].iloc[0]
    place = np.array([[row["n_train"]], [row["n_params"]]], float)
    found = surfaces[int(row["epochs"])].predict(place, level=level)
    return Best(
        train_flop=float(budget),
        error=float(row["error"]),
        low=float(found.low[0]),
        high=float(found.high[0]),
        n_train=float(row["n_train"]),
        n_params=int(row["n_params"]),
        epochs=int(row["epochs"]),
        at_edge=bool(row["at_edge"]),
    )
