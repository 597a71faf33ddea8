"""The forms a scaling curve may take: one frozen entry each.

A new form is one more entry in FORMS; fits, legends, the report and the recovery test pick it up.
Shapes: R parameter vectors of P parameters, at N sizes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scaling.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """All parameters are positive; they are fitted as logarithms, within these bounds."""

    name: str
    unit: str
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """An equation error(n) with its parameters.

    `terms` gives, for sizes (N,) and parameters (R, P), the error (R, N) and its derivatives by the
    logarithm of each parameter (R, N, P). Sizes are scaled by their geometric mean, `rescale`
    turns parameters found at scaled sizes into those of the equation.
    """

    name: str
    title: str
    latex: str
    parameters: tuple[Parameter, ...]
    starts: Floats  # (S, P): where the search begins, for sizes and errors scaled to about 1
    terms: Callable[[Floats, Floats], tuple[Floats, Floats]]
    rescale: Callable[[Floats, float], Floats]
    source: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)

    def predict(self, x_N: Floats, theta_RP: Floats) -> Floats:
        """The error at sizes x for each parameter vector, (R, N)."""
        return self.terms(np.asarray(x_N, float), np.atleast_2d(theta_RP))[0]


_A = Parameter(name="A", unit="error at n = 1", low=1e-9, high=1e9)
_ALPHA = Parameter(name="alpha", unit="1", low=1e-4, high=10.0)
_E = Parameter(name="E", unit="error", low=1e-9, high=1e3)
_EXPONENTS = (0.1, 0.25, 0.5, 1.0, 2.0)


def _power(x_N: Floats, A_R1: Floats, alpha_R1: Floats) -> tuple[Floats, Floats]:
    """A x^-alpha and its derivative by log alpha, both (R, N)."""
    log_x = np.log(x_N)
    term = A_R1 * np.exp(-alpha_R1 * log_x)
    return term, -alpha_R1 * log_x * term


def _power_law(x_N: Floats, theta_RP: Floats) -> tuple[Floats, Floats]:
    term, by_alpha = _power(x_N, theta_RP[:, :1], theta_RP[:, 1:2])
    return term, np.stack([term, by_alpha], axis=-1)


def _power_law_floor(x_N: Floats, theta_RP: Floats) -> tuple[Floats, Floats]:
    term, by_alpha = _power(x_N, theta_RP[:, :1], theta_RP[:, 1:2])
    floor = np.broadcast_to(theta_RP[:, 2:3], term.shape)
    return term + floor, np.stack([term, by_alpha, floor], axis=-1)


def _rescale(theta_RP: Floats, x0: float) -> Floats:
    """A (x / x0)^-alpha is A x0^alpha times x^-alpha."""
    scaled = theta_RP.copy()
    scaled[:, 0] *= x0 ** theta_RP[:, 1]
    return scaled


FORMS = {
    form.name: form
    for form in (
        Form(
            name="power_law",
            title="power law",
            latex=r"\epsilon(n) = A\,n^{-\alpha}",
            parameters=(_A, _ALPHA),
            starts=np.array([[1.0, alpha] for alpha in _EXPONENTS]),
            terms=_power_law,
            rescale=_rescale,
            source="Hestness et al. 2017 (arXiv 1712.00409)",
        ),
        Form(
            name="power_law_floor",
            title="power law + floor",
            latex=r"\epsilon(n) = E + A\,n^{-\alpha}",
            parameters=(_A, _ALPHA, _E),
            starts=np.array(
                [[1.0 - e, alpha, e] for alpha in _EXPONENTS for e in (1e-3, 0.1, 0.3, 0.6)]
            ),
            terms=_power_law_floor,
            rescale=_rescale,
            source="Rosenfeld et al. 2019 (arXiv 1909.12673), at one width",
        ),
    )
}


def find_form(name: str) -> Form:
    """The form of this name. Raises InputError if there is none."""
    if name not in FORMS:
        raise InputError(f"unknown form '{name}': expected one of {', '.join(FORMS)}")
    return FORMS[name]
