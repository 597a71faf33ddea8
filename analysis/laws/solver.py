"""Fit a form to many curves at once: a grid of starts, then damped Newton steps in lock-step.

All parameters are searched as logarithms, all residuals are of log errors.
Shapes: K problems (curves, replicates, starts); N points; P parameters; S starts; V variables.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.arrays import Floats
from analysis.laws.forms import Form
from scaling.errors import InputError

Objective = Literal["ls", "huber", "lad"]
OBJECTIVES: tuple[Objective, ...] = ("huber", "lad", "ls")
STEPS = 200  # of one search; measured: 20 to 60 suffice
TOLERANCE = 1e-10  # relative change of the cost at which a search is at rest
AT_REST = 3  # such changes in a row that end it: one may be the damping's doing
EXACT = 1e-24  # squared log residuals below this are rounding
LAD_DELTA = 1e-7  # least absolute residuals are Huber's with this delta, reached in stages
STAGE = 0.25  # each stage's delta is this share of the one before
GREAT = 100.0  # weight, in median ones, from which on a search goes by steps (assumed)
CHUNK = 4_000_000  # values held at once, in points x derivatives


@dataclass(frozen=True, slots=True, kw_only=True)
class Problems:
    """K curves in lock-step; a weight of 0 is a missing point.

    The cost of one is the sum over its points of count x rho(weight x residual), after `whiten`
    (N, N), if given, made the residuals independent.
    """

    z: tuple[Floats, ...]  # log sizes of each variable, (K, N) or (1, N)
    target: Floats  # log errors (K, N)
    weight: Floats  # (K, N) or (1, N)
    count: Floats  # (K, N) or (1, N)
    whiten: Floats | None = None

    def take(self, k: NDArray[np.intp]) -> "Problems":
        """Return the problems of these indices."""

        def rows(values: Floats) -> Floats:
            return values if len(values) == 1 else values[k]

        return replace(
            self,
            z=tuple(map(rows, self.z)),
            target=self.target[k],
            weight=rows(self.weight),
            count=rows(self.count),
        )

    def with_targets(self, log_y: Floats, count: Floats, whiten: Floats | None) -> "Problems":
        """Return replicates of one curve: other log errors (R, N) and counts at the same sizes."""
        return replace(self, target=log_y, count=count, whiten=whiten)

    def __len__(self) -> int:
        return len(self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """The best solution of each problem, with its cost and whether the search came to rest."""

    phi: Floats  # log parameters (K, P)
    cost: Floats  # (K,)
    rested: NDArray[np.bool_]  # (K,)


def descend(
    form: Form,
    problems: Problems,
    phi_KP: Floats,
    low_P: Floats,
    high_P: Floats,
    held: tuple[int, ...] = (),
    delta: float = np.inf,
    steps: int = STEPS,
    tolerance: float = TOLERANCE,
) -> Solution:
    """Take damped Newton steps (for ls: Levenberg-Marquardt) from one start for each problem.

    Parameters in `held` keep their starts. Bounds hold by projection; a step leaves out parameters
    at a bound against which the gradient pushes.
    Source: Marquardt 1963, with the diagonal scaling of More 1978.
    """
    phi = phi_KP.copy()
    cost, gradient, normal, scale = _local(form, problems, phi, delta)
    damping = np.full(len(phi), 1e-2)
    calm = np.zeros(len(phi), int)
    active, eye = np.isfinite(cost), np.eye(phi.shape[1])
    for _ in range(steps):
        k = np.flatnonzero(active)
        if not len(k):
            break
        stuck = (phi[k] <= low_P) & (gradient[k] > 0) | (phi[k] >= high_P) & (gradient[k] < 0)
        stuck[:, list(held)] = True
        matrix = normal[k] + (damping[k, None] * scale[k])[:, :, None] * eye
        matrix[stuck[:, :, None] | stuck[:, None, :]] = 0
        matrix += stuck[:, :, None] * eye
        step = -np.linalg.solve(matrix, np.where(stuck, 0, gradient[k])[..., None])[..., 0]
        trial = np.clip(phi[k] + np.clip(step, -2, 2), low_P, high_P)
        trial[:, list(held)] = phi[k][:, list(held)]
        cost_new, *rest = _local(form, problems.take(k), trial, delta)
        better = cost_new < cost[k]
        small = better & (cost[k] - cost_new <= tolerance * cost[k])
        calm[k] = np.where(small, calm[k] + 1, np.where(better, 0, calm[k]))
        done = (calm[k] >= AT_REST) | (~better & (damping[k] > 1e8)) | (cost_new < EXACT)
        won = k[better]
        phi[won], cost[won] = trial[better], cost_new[better]
        gradient[won], normal[won], scale[won] = (part[better] for part in rest)
        damping[k] = np.where(better, np.maximum(damping[k] / 5, 1e-12), damping[k] * 4)
        active[k[done]] = False
    return Solution(phi=phi, cost=cost, rested=~active & np.isfinite(cost))


def search(
    form: Form,
    problems: Problems,
    starts_KSP: Floats,
    low_P: Floats,
    high_P: Floats,
    *,
    objective: Objective = "ls",
    delta: float = 1e-3,
    held: tuple[int, ...] = (),
    steps: int = STEPS,
    tolerance: float = TOLERANCE,
) -> Solution:
    """Return the best of a descent from each of S starts, for each problem.

    Points of great weight leave a narrow valley, which the search enters by steps: at its lowest
    point rather than anywhere along it. Robust objectives start from least squares and go through
    a falling delta: far from the optimum a small delta has no curvature.
    """
    n_K, n_S, n_P = starts_KSP.shape
    every = problems.take(np.repeat(np.arange(n_K), n_S))
    how = {"held": held, "steps": steps, "tolerance": tolerance}
    phi = starts_KSP.reshape(-1, n_P)
    for most in _weights(every):
        eased = replace(every, weight=np.minimum(every.weight, most))
        phi = _chunked(form, eased, phi, low_P, high_P, np.inf, **how).phi
    found = _chunked(form, every, phi, low_P, high_P, np.inf, **how)
    if objective != "ls":
        last = delta if objective == "huber" else LAD_DELTA
        for stage in _stages(form, every, found.phi, last):
            found = _chunked(form, every, found.phi, low_P, high_P, stage, **how)
    cost = np.where(np.isfinite(found.cost), found.cost, np.inf).reshape(n_K, n_S)
    best = np.arange(n_K) * n_S + np.argmin(cost, axis=1)
    return Solution(phi=found.phi[best], cost=found.cost[best], rested=found.rested[best])


def check_objective(objective: str, delta: float) -> Objective:
    """Return the objective. Raises InputError for an unknown one, or a delta not positive."""
    if objective not in OBJECTIVES:
        raise InputError(f"objective '{objective}': expected one of {', '.join(OBJECTIVES)}")
    if not 0 < delta < np.inf:
        raise InputError(f"delta {delta:g}: expected a positive number of log error, such as 1e-3")
    return objective


def residuals(form: Form, problems: Problems, phi_KP: Floats) -> tuple[Floats, Floats]:
    """Return weighted log residuals (K, N) and their derivatives (K, N, P)."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        value, by_log = form.terms(problems.z, np.exp(phi_KP))
        r = problems.weight * (np.log(value) - problems.target)
        jacobian = (problems.weight / value)[..., None] * by_log
    if problems.whiten is not None:
        r, jacobian = r @ problems.whiten.T, problems.whiten @ jacobian
    return r, jacobian


def _local(
    form: Form, problems: Problems, phi: Floats, delta: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return cost (K,), gradient (K, P), curvature (K, P, P) and parameter scales (K, P)."""
    r, jacobian = residuals(form, problems, phi)
    size = np.abs(r)
    inside = size <= delta
    rho = r**2 if delta == np.inf else np.where(inside, r**2, delta * (2 * size - delta))
    slope = r if delta == np.inf else np.clip(r, -delta, delta)
    by = jacobian * np.asarray(problems.count)[..., None]
    gradient = np.matmul(slope[:, None, :], by)[:, 0]
    # outside of delta Huber's loss has no curvature; this small one keeps the matrix regular
    bend = np.where(inside, 1.0, 0.0 if delta == np.inf else 0.05 * delta / np.maximum(size, delta))
    normal = np.matmul((jacobian * bend[..., None]).swapaxes(1, 2), by)
    scale = np.maximum(np.einsum("kpp->kp", normal), 1e-12)
    return (problems.count * rho).sum(axis=1), gradient, normal, scale


def _weights(problems: Problems) -> Iterator[float]:
    """Yield rising limits below the greatest weight; none where weights are similar."""
    most = GREAT
    while most < problems.weight.max(initial=0.0):
        yield most
        most *= GREAT


def _stages(form: Form, problems: Problems, phi: Floats, last: float) -> Iterator[float]:
    """Yield falling deltas, from the size of the residuals to the last."""
    r, _ = residuals(form, problems, phi)
    stage = float(np.sqrt(np.nanmedian(np.nanmean(r**2, axis=1)))) if len(r) else 0.0
    while stage * STAGE > last:
        yield stage
        stage *= STAGE
    yield last


def _chunked(
    form: Form,
    problems: Problems,
    phi_KP: Floats,
    low: Floats,
    high: Floats,
    delta: float,
    **how: Any,
) -> Solution:
    """Descend in chunks of problems, to bound the memory."""
    n_K, n_P = phi_KP.shape
    at_once = max(1, CHUNK // (problems.target.shape[1] * (n_P + 2)))
    parts = [
        descend(form, problems.take(k), phi_KP[k], low, high, delta=delta, **how)
        for k in np.array_split(np.arange(n_K), max(1, -(-n_K // at_once)))
    ]
    return Solution(
        phi=np.concatenate([part.phi for part in parts]),
        cost=np.concatenate([part.cost for part in parts]),
        rested=np.concatenate([part.rested for part in parts]),
    )
