"""Test that each form recovers its parameters, over surfaces, noise and designs."""

from itertools import product

import numpy as np
import pytest
from surfaces import SURFACES

from analysis import fit
from analysis.laws.forms import FORMS, Form

CURVE = np.geomspace(100, 1e5, 16)
GRID = np.array(list(product(np.geomspace(100, 1e5, 7), np.geomspace(10, 1e4, 5)))).T
SCATTERED = np.exp(np.random.default_rng(0).uniform(np.log(10), np.log(1e5), (2, 60)))
DESIGNS = {1: {"wide": CURVE, "sparse": CURVE[::2]}, 2: {"grid": GRID, "scattered": SCATTERED}}
EVERY = [
    pytest.param(form, np.array(truth), x, id=f"{form.name}-{surface}-{design}")
    for form in FORMS.values()
    for surface, truth in enumerate(SURFACES[form.name])
    for design, x in DESIGNS[form.variables].items()
]


@pytest.mark.parametrize(("form", "truth", "x"), EVERY)
def test_derivatives_are_those_of_the_equation(
    form: Form, truth: np.ndarray, x: np.ndarray
) -> None:
    z = [np.log(row)[None] for row in np.atleast_2d(x)]
    value, by_log = form.terms(z, truth[None])
    for p in range(len(truth)):
        up, down = truth.copy(), truth.copy()
        up[p], down[p] = truth[p] * np.exp(1e-5), truth[p] * np.exp(-1e-5)
        slope = (form.predict(x, up) - form.predict(x, down))[0] / 2e-5
        np.testing.assert_allclose(by_log[0, :, p], slope, rtol=1e-5, atol=1e-9 * value.max())


@pytest.mark.parametrize(("form", "truth", "x"), EVERY)
def test_a_form_finds_the_parameters_of_its_own_curve(
    form: Form, truth: np.ndarray, x: np.ndarray
) -> None:
    found = fit(x, form.predict(x, truth)[0], form=form.name, objective="ls")
    assert found.status == "converged"
    assert list(found.params.values()) == pytest.approx(truth, rel=1e-4)
    assert found.residual < 1e-6


@pytest.mark.parametrize("objective", ["huber", "ls", pytest.param("lad", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("form", "truth", "x"), EVERY[::2])
def test_noise_moves_a_fit_no_further_than_its_size(
    form: Form, truth: np.ndarray, x: np.ndarray, objective: str
) -> None:
    """With 1 % of noise the fitted curve is within 1 % of the true one, whatever the parameters."""
    exact = form.predict(x, truth)[0]
    noise = np.random.default_rng(1).normal(0, 0.01, len(exact))
    found = fit(x, exact * np.exp(noise), form=form.name, objective=objective)
    missed = np.log(found.predict(x).y / exact)
    assert found.status in ("converged", "at_bound")
    assert np.sqrt(np.mean(missed**2)) < (0.02 if form.last_only else 0.01)
    if form.name in ("power_law", "power_law_floor", "additive"):
        held = [
            low <= true <= (high or np.inf)
            for true, (low, high) in zip(truth, found.intervals.values(), strict=True)
            if low is not None
        ]
        assert sum(held) >= len(held) - 1  # of 90 % intervals one may miss


def test_m4_solves_its_own_equation() -> None:
    A, alpha, E, gamma, C = SURFACES["m4"][0]
    y = FORMS["m4"].predict(CURVE, np.array([[A, alpha, E, gamma, C]]))[0]
    np.testing.assert_allclose((y - E) / (C - y) ** gamma, A * CURVE**-alpha, rtol=1e-10)


def test_every_form_says_what_it_is() -> None:
    assert list(FORMS) == list(SURFACES)
    for form in FORMS.values():
        assert len(form.parameters) == len(SURFACES[form.name][0])
        assert form.latex.startswith((r"\epsilon", r"(\epsilon"))
        assert form.source
