"""From parameters at scaled sizes and errors to those of the equation, for each form.

Sizes are in units of x0, errors of y0: the geometric means of the fitted points.
Shapes: K parameter vectors of P parameters; V variables.
"""

from collections.abc import Callable

from analysis.arrays import Floats


def errors(count: int) -> Callable[[Floats, Floats, Floats], Floats]:
    """Return a rescaling whose first `count` parameters are errors."""

    def rescale(theta_KP: Floats, _x0_VK: Floats, y0_K: Floats) -> Floats:
        theta = theta_KP.copy()
        theta[:, :count] *= y0_K[:, None]
        return theta

    return rescale


def power(theta_KP: Floats, x0_VK: Floats, y0_K: Floats) -> Floats:
    """Rescale by A (x / x0)^-alpha = A x0^alpha x^-alpha; the other parameters are errors."""
    theta = theta_KP.copy()
    theta[:, 0] *= x0_VK[0] ** theta[:, 1] * y0_K
    theta[:, 2:] *= y0_K[:, None]
    return theta


def logistic(theta_KP: Floats, x0_VK: Floats, y0_K: Floats) -> Floats:
    """Rescale A by x0^alpha alone, as it has no unit of error; E and C are errors."""
    theta = theta_KP.copy()
    theta[:, 0] *= x0_VK[0] ** theta[:, 1]
    theta[:, 2:] *= y0_K[:, None]
    return theta


def m4(theta_KP: Floats, x0_VK: Floats, y0_K: Floats) -> Floats:
    """Rescale A by x0^alpha and y0^(1 - gamma); E and C are errors."""
    theta = theta_KP.copy()
    theta[:, 0] *= x0_VK[0] ** theta[:, 1] * y0_K ** (1 - theta[:, 3])
    theta[:, [2, 4]] *= y0_K[:, None]
    return theta


def bnsl1(theta_KP: Floats, x0_VK: Floats, y0_K: Floats) -> Floats:
    """Rescale A as a power law, the break d as a size, and E as an error."""
    theta = theta_KP.copy()
    theta[:, 0] *= x0_VK[0] ** theta[:, 1] * y0_K
    theta[:, 3] *= x0_VK[0]
    theta[:, 5] *= y0_K
    return theta


def joint(theta_KP: Floats, x0_VK: Floats, y0_K: Floats) -> Floats:
    """Rescale A and B as power laws of their own variable; E and C are errors."""
    theta = theta_KP.copy()
    theta[:, 0] *= x0_VK[0] ** theta[:, 3] * y0_K
    theta[:, 1] *= x0_VK[1] ** theta[:, 4] * y0_K
    theta[:, 2] *= y0_K
    theta[:, 5:] *= y0_K[:, None]
    return theta
