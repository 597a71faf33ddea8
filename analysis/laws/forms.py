"""The forms of scaling curves: one frozen entry each.

A new form is one more entry in FORMS; its equation is a function in equations.py, its scaling one
in rescaling.py, its starts are in grids.py. Fits and the recovery tests take it from here; the
report and the default forecast have lists of their own (curves.py, forecasts/ensemble.py).
Shapes: K parameter vectors of P parameters; S starts; N points; V variables.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from analysis.arrays import Floats
from analysis.laws import equations, grids, rescaling
from analysis.laws.equations import LogSizes, Terms
from scaling.errors import InputError

CEILING = 0.9  # the error of guessing among ten classes


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A positive parameter; the fit searches its logarithm within these bounds.

    The bounds are for sizes and errors scaled to about 1. A parameter that `may_be_zero` becomes
    exactly 0 at its lower bound. `is_level`: it moves with the level of all errors, as a factor or
    a floor does, so that starts are moved to the level of the data.
    """

    name: str
    unit: str  # "1" of an exponent, "size" of a size, else an error's
    low: float
    high: float
    may_be_zero: bool = False
    is_level: bool = False
    is_given: bool = False  # by the caller, and not fitted

    @property
    def is_exponent(self) -> bool:
        return self.unit == "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """An equation error(x) with its parameters.

    `terms` gives, for log sizes and parameters (K, P), the error (K, N) and its derivatives by the
    logarithm of each parameter (K, N, P). Sizes and errors are scaled by their geometric means
    before the search; `rescale` turns scaled parameters into those of the equation. `grid`
    gives the starts (S, P) of the search at scaled sizes, for a ceiling in units of the mean error.
    """

    name: str
    title: str
    latex: str
    parameters: tuple[Parameter, ...]
    grid: Callable[[float], Floats]
    terms: Callable[[LogSizes, Floats], Terms]
    rescale: Callable[[Floats, Floats, Floats], Floats]
    source: str
    variables: int = 1
    last_only: bool = False  # fitted to the largest size alone

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def has_ceiling(self) -> bool:
        """Return whether it ends at a ceiling, which is given and not fitted."""
        return bool(self.held)

    @property
    def held(self) -> tuple[int, ...]:
        """Return the indices of parameters that are given and not fitted."""
        return tuple(p for p, parameter in enumerate(self.parameters) if parameter.is_given)

    @property
    def n_free(self) -> int:
        return len(self.parameters) - len(self.held)

    def predict(self, x: ArrayLike, theta_KP: Floats) -> Floats:
        """Return the error at sizes x, (N,) or (2, N) of two variables, by vector: (K, N)."""
        z = np.log(np.atleast_2d(np.asarray(x, float)))
        return self.terms([row[None] for row in z], np.atleast_2d(theta_KP))[0]


def find_form(name: str) -> Form:
    """Return the form of this name. Raises InputError for an unknown one."""
    if name not in FORMS:
        raise InputError(f"unknown form '{name}': expected one of {', '.join(FORMS)}")
    return FORMS[name]


_A = Parameter(name="A", unit="error at x = 1", low=1e-9, high=1e9, is_level=True)
_B = Parameter(name="B", unit="error at x2 = 1", low=1e-9, high=1e9, is_level=True)
_ALPHA = Parameter(name="alpha", unit="1", low=1e-4, high=10.0, may_be_zero=True)
_BETA = Parameter(name="beta", unit="1", low=1e-4, high=10.0, may_be_zero=True)
_E = Parameter(name="E", unit="error", low=1e-9, high=1e3, may_be_zero=True, is_level=True)
_C = Parameter(name="C", unit="error", low=1e-9, high=1e9, is_given=True)

FORMS = {
    form.name: form
    for form in (
        Form(
            name="last_value",
            title="last value",
            latex=r"\epsilon(x) = A",
            parameters=(Parameter(name="A", unit="error", low=1e-9, high=1e9, is_level=True),),
            grid=grids.fixed([[1.0]]),
            terms=equations.last_value,
            rescale=rescaling.errors(1),
            source="a baseline: the error at the largest size, at every size",
            last_only=True,
        ),
        Form(
            name="power_law",
            title="power law",
            latex=r"\epsilon(x) = A\,x^{-\alpha}",
            parameters=(_A, _ALPHA),
            grid=grids.fixed(grids.POWER),
            terms=equations.power_law,
            rescale=rescaling.power,
            source="Hestness et al. 2017 (arXiv 1712.00409)",
        ),
        Form(
            name="power_law_floor",
            title="power law + floor",
            latex=r"\epsilon(x) = E + A\,x^{-\alpha}",
            parameters=(_A, _ALPHA, _E),
            grid=grids.fixed(grids.POWER_FLOOR),
            terms=equations.power_law_floor,
            rescale=rescaling.power,
            source="Rosenfeld et al. 2019 (arXiv 1909.12673), at one width",
        ),
        Form(
            name="logistic",
            title="logistic",
            latex=r"\epsilon(x) = E + (C - E) / (1 + x^{\alpha} / A)",
            parameters=(replace(_A, unit="x^alpha"), _ALPHA, _E, _C),
            grid=grids.logistic,
            terms=equations.logistic,
            rescale=rescaling.logistic,
            source="Viering & Loog 2021 (arXiv 2103.10948), from a ceiling C to a floor E",
        ),
        Form(
            name="m4",
            title="M4",
            latex=r"(\epsilon - E) / (C - \epsilon)^{\gamma} = A\,x^{-\alpha}",
            parameters=(
                replace(_A, unit="error^(1-gamma) at x = 1"),
                _ALPHA,
                _E,
                Parameter(name="gamma", unit="1", low=1e-3, high=20.0),
                _C,
            ),
            grid=grids.m4,
            terms=equations.m4,
            rescale=rescaling.m4,
            source="Alabdulmohsin et al. 2022 (arXiv 2209.06640), estimator M4",
        ),
        Form(
            name="bnsl1",
            title="one-break power law",
            latex=r"\epsilon(x) = E + A\,x^{-\alpha}\,(1 + (x/d)^{1/f})^{-(\beta-\alpha) f}",
            parameters=(
                _A,
                _ALPHA,
                _BETA,
                Parameter(name="d", unit="size", low=1e-4, high=1e4),
                Parameter(name="f", unit="1", low=0.02, high=5.0),
                _E,
            ),
            grid=grids.fixed(grids.BNSL1),
            terms=equations.bnsl1,
            rescale=rescaling.bnsl1,
            source="Caballero et al. 2022 (arXiv 2210.14891), n = 1; c1 there is beta - alpha here",
        ),
        Form(
            name="additive",
            title="additive",
            latex=r"\epsilon(x, x_2) = E + A\,x^{-\alpha} + B\,x_2^{-\beta}",
            parameters=(_A, _B, _E, _ALPHA, _BETA),
            grid=grids.fixed(grids.ADDITIVE),
            terms=equations.additive,
            rescale=rescaling.joint,
            source="Hoffmann et al. 2022 (arXiv 2203.15556), equation 2",
            variables=2,
        ),
        Form(
            name="rosenfeld",
            title="Rosenfeld's joint form",
            latex=r"\epsilon = t / \sqrt{1 + (t/C)^2},\ t = E + A\,x^{-\alpha} + B\,x_2^{-\beta}",
            parameters=(_A, _B, _E, _ALPHA, _BETA, _C),
            grid=grids.rosenfeld,
            terms=equations.rosenfeld,
            rescale=rescaling.joint,
            source="Rosenfeld et al. 2019 (arXiv 1909.12673), equation 5 with eta = epsilon_0 = C",
            variables=2,
        ),
    )
}
