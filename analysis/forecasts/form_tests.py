"""Which forms the data do not reject, and what each says of sizes that nobody can train.

A form is put to two tests: whether all sizes fit it within the noise of the crossed bootstrap,
with its covariance, and whether the fit without the last octave meets what came there. Passing is
no proof: far outside the range the forms that pass disagree, and their spread is what is known.
With one seed in a cell the noise is not known, and nothing is rejected.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from analysis.arrays import Floats
from analysis.forecasts.ensemble import CANDIDATES, HELD_OUT
from analysis.laws.curves import Curve, noise_of
from analysis.laws.fit import fit
from analysis.laws.fit_result import Fit
from analysis.laws.forms import FORMS, Form
from analysis.laws.limits import open_ended
from analysis.laws.noise import SHRINK
from scaling.errors import InputError

REJECTED = 0.05  # p-value of either test, by Bonferroni over the two (assumed)
DRAWN = 400  # of the curve's replicates: enough for 90 % ends, and fast


@dataclass(frozen=True, slots=True, kw_only=True)
class FormTest:
    """One form on one curve. `p` is None where it cannot be tested: no size to spare, one seed."""

    form: str
    fit: Fit
    p_fit: float | None
    p_held_out: float | None
    p: float | None

    @property
    def rejected(self) -> bool:
        return self.p is not None and self.p < REJECTED


def try_forms(curve: Curve) -> list[FormTest]:
    """Every candidate form with sizes enough, tested on a curve."""
    x, y = np.array(curve.n_train, float), np.maximum(curve.errors, curve.least)
    drawn = np.maximum(curve.replicates[:DRAWN], curve.least)
    known = all(summary.n_seeds > 1 for summary in curve.summaries)
    enough = [FORMS[name] for name in CANDIDATES if len(x) >= max(2, FORMS[name].n_free)]
    tried = [_try(form, x, y, drawn, known) for form in enough]
    return [
        replace(one, fit=open_ended(one.fit, curve.limit, curve.floor))
        for one in tried
        if one is not None
    ]


def _try(form: Form, x: Floats, y: Floats, drawn: Floats, known: bool) -> FormTest | None:
    try:
        whole = fit(x, y, form=form.name, replicates=noise_of(drawn))
    except InputError:  # such as errors above the ceiling: this form cannot say anything
        return None
    miss = _log(form, x, whole)[0] - np.log(y)
    spare = len(x) - form.n_free
    if form.last_only:  # a constant claims every size, and is fitted to the last
        spare = len(x) - 1
    noise = np.cov(np.log(drawn), rowvar=False)
    p_fit = _p(miss, noise, spare) if known and spare > 0 else None
    p_held_out = _p_held_out(form, x, y, drawn) if known else None
    tests = [p for p in (p_fit, p_held_out) if p is not None]
    return FormTest(
        form=form.name,
        fit=whole,
        p_fit=p_fit,
        p_held_out=p_held_out,
        p=min(1.0, len(tests) * min(tests)) if tests else None,
    )


def _p_held_out(form: Form, x: Floats, y: Floats, drawn: Floats) -> float | None:
    """How well the fit without the last octave meets it, with the noise of fit and of cells."""
    early = x <= x[-1] / HELD_OUT * (1 + 1e-9)
    if early.sum() < max(2, form.n_free):
        return None
    earlier = fit(x[early], y[early], form=form.name, replicates=noise_of(drawn[:, early]))
    if len(earlier.replicates) < 2:
        return None
    miss = _log(form, x[~early], earlier)[0] - np.log(y[~early])
    of_fit = np.cov(np.log(form.predict(x[~early], earlier.replicates)), rowvar=False)
    of_cells = np.cov(np.log(drawn[:, ~early]), rowvar=False)
    return _p(miss, np.atleast_2d(of_fit) + np.atleast_2d(of_cells), int((~early).sum()))


def _log(form: Form, x: Floats, found: Fit) -> Floats:
    logs: Floats = np.log(form.predict(x, np.array([list(found.params.values())])))
    return logs


def _p(miss: Floats, covariance: Floats, freedom: int) -> float | None:
    """The chance of misses as large by the noise alone (chi squared); None where it is unknown."""
    full = np.atleast_2d(covariance)
    shrunk = (1 - SHRINK) * full + SHRINK * np.diag(np.diag(full))
    if not (np.isfinite(shrunk).all() and (np.diag(shrunk) > 0).all()):
        return None
    return float(stats.chi2.sf(miss @ np.linalg.solve(shrunk, miss), freedom))
