"""The equations of the forms, each with its derivatives by the logarithm of every parameter.

Shapes: K parameter vectors of P parameters, at N points; log sizes z are one array for each
variable, (K, N) or (1, N).
"""

from collections.abc import Sequence

import numpy as np

from analysis.arrays import Floats

LogSizes = Sequence[Floats]
Terms = tuple[Floats, Floats]  # values (K, N) and derivatives by log parameters (K, N, P)
NEWTON = 12  # steps for M4's implicit equation; measured: 3 to 6 suffice


def columns(theta_KP: Floats) -> list[Floats]:
    """Return each parameter as (K, 1), to broadcast over points."""
    return [theta_KP[:, p : p + 1] for p in range(theta_KP.shape[1])]


def _power(z: Floats, A: Floats, alpha: Floats) -> tuple[Floats, Floats]:
    """Return A x^-alpha and its derivative by log alpha."""
    term = A * np.exp(-alpha * z)
    return term, -alpha * z * term


def _stack(shape: tuple[int, ...], *derivatives: Floats) -> Floats:
    return np.stack([np.broadcast_to(d, shape) for d in derivatives], axis=-1)


def last_value(z: LogSizes, theta_KP: Floats) -> Terms:
    """Return the constant A."""
    (A,) = columns(theta_KP)
    value = A + 0 * z[0]
    return value, value[..., None]


def power_law(z: LogSizes, theta_KP: Floats) -> Terms:
    """Return A x^-alpha."""
    A, alpha = columns(theta_KP)
    term, by_alpha = _power(z[0], A, alpha)
    return term, _stack(term.shape, term, by_alpha)


def power_law_floor(z: LogSizes, theta_KP: Floats) -> Terms:
    """Return A x^-alpha + E."""
    A, alpha, E = columns(theta_KP)
    term, by_alpha = _power(z[0], A, alpha)
    return term + E, _stack(term.shape, term, by_alpha, E)


def logistic(z: LogSizes, theta_KP: Floats) -> Terms:
    """Return a logistic curve in log x, from the ceiling C down to the floor E."""
    A, alpha, E, C = columns(theta_KP)
    share = _sigmoid(np.log(A) - alpha * z[0])
    drop = (C - E) * share * (1 - share)
    by = (drop, -alpha * z[0] * drop, E * (1 - share), C * share)
    return E + (C - E) * share, _stack(share.shape, *by)


def m4(z: LogSizes, theta_KP: Floats) -> Terms:
    """Solve (y - E) / (C - y)^gamma = A x^-alpha for y by Newton's method.

    With y = E + (C - E) s(t) and the logistic function s, it reads h(t) = log s(t) - gamma
    log s(-t) = v, where h rises and bends one way only, so that the iteration cannot fail.
    """
    A, alpha, E, gamma, C = columns(theta_KP)
    with np.errstate(invalid="ignore", divide="ignore"):
        span = np.log(C - E)
    v = np.log(A) - alpha * z[0] - (1 - gamma) * span
    t = np.where(v < 0, v, v / gamma)
    for _ in range(NEWTON):
        share = _sigmoid(t)
        slope = 1 - share + gamma * share
        step = (gamma * _softplus(t) - _softplus(-t) - v) / slope
        t = t - step
        if not (np.abs(step) > 1e-7 * (1 + np.abs(t))).any():  # the next step would be 1e-14
            break
    share = _sigmoid(t)
    by_t = (C - E) * share * (1 - share)
    by_v = by_t / (1 - share + gamma * share)
    log_rest = -_softplus(t)
    # v depends on E, C and gamma through the span; y on E and C directly as well
    by_E = E * (1 - share) + by_v * (1 - gamma) * E / (C - E)
    by_C = C * share - by_v * (1 - gamma) * C / (C - E)
    by_gamma = gamma * by_v * (span + log_rest)
    return E + (C - E) * share, _stack(
        share.shape, by_v, -alpha * z[0] * by_v, by_E, by_gamma, by_C
    )


def bnsl1(z: LogSizes, theta_KP: Floats) -> Terms:
    """Return a power law whose exponent goes from alpha to beta at x = d, over about f octaves."""
    A, alpha, beta, d, f, E = columns(theta_KP)
    u = (z[0] - np.log(d)) / f
    bend, past = f * _softplus(u), _sigmoid(u)
    term = A * np.exp(-alpha * z[0] - (beta - alpha) * bend)
    by = (
        term,
        term * alpha * (bend - z[0]),
        -term * beta * bend,
        term * (beta - alpha) * past,
        -term * (beta - alpha) * (bend - f * u * past),
        E,
    )
    return term + E, _stack(term.shape, *by)


def additive(z: LogSizes, theta_KP: Floats) -> Terms:
    """Return A x^-alpha + B x2^-beta + E."""
    A, B, E, alpha, beta = columns(theta_KP)
    first, by_alpha = _power(z[0], A, alpha)
    second, by_beta = _power(z[1], B, beta)
    return first + second + E, _stack(first.shape, first, second, E, by_alpha, by_beta)


def rosenfeld(z: LogSizes, theta_KP: Floats) -> Terms:
    """Return the additive form t, bent under the ceiling: t / sqrt(1 + (t / C)^2)."""
    C = theta_KP[:, 5:6]
    t, by = additive(z, theta_KP[:, :5])
    root = 1 / np.sqrt(1 + (t / C) ** 2)
    value = t * root
    by_C = value * (t / C * root) ** 2
    return value, np.concatenate([by * (root**3)[..., None], by_C[..., None]], axis=-1)


def _sigmoid(u: Floats) -> Floats:
    """Return the logistic function, without overflow for any u."""
    small = np.exp(-np.abs(u))
    value: Floats = np.where(u >= 0, 1.0, small) / (1 + small)
    return value


def _softplus(u: Floats) -> Floats:
    """Return log(1 + e^u), without overflow for any u."""
    value: Floats = np.maximum(u, 0) + np.log1p(np.exp(-np.abs(u)))
    return value
