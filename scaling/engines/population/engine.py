"""The population engine's loop: epochs, evaluations, failures.

A member's numbers equal the reference's up to rounding. They do not depend on the other members'
values, not even on NaN, to the last bit. They depend on the number of members and on its place
among them: where a product has few rows, MKL orders its sums by the alignment of memory (measured:
3e-7 in a weight after 180 steps).

Shapes: K members that are still in training.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from scaling.data.selection import Dataset
from scaling.engines.population import max_members
from scaling.engines.population.model import Population
from scaling.engines.reference import deterministic
from scaling.engines.result import Evaluation, NumericFailure, Trained
from scaling.engines.saved import Checkpointer, TrainingState
from scaling.engines.training import TRAIN_SAMPLE, numeric_failure
from scaling.models.weights import Weights
from scaling.study import Cell, Member

ENGINE = "population"

Observer = Callable[[Member, Evaluation], None]


def train_population(
    cell: Cell,
    members: Sequence[Member],
    data: Dataset,
    *,
    device: str,
    epochs_evaluated: Sequence[int],
    observe: Observer | None = None,
    start: Callable[[Member], Weights] | None = None,
    checkpointer_of: Callable[[Sequence[Member]], Checkpointer] | None = None,
) -> Iterator[Trained | NumericFailure]:
    """Train members in groups and yield each group's results in order at its end."""
    most = max_members(cell, device)
    for first in range(0, len(members), most):
        some = members[first : first + most]
        checkpointer = checkpointer_of(some) if checkpointer_of else None
        with deterministic():
            results = _train(
                cell, some, data, device, epochs_evaluated, observe, start, checkpointer
            )
        yield from results
        if checkpointer:
            checkpointer.remove()


def _train(
    cell: Cell,
    members: Sequence[Member],
    data: Dataset,
    device: str,
    epochs_evaluated: Sequence[int],
    observe: Observer | None,
    start: Callable[[Member], Weights] | None,
    checkpointer: Checkpointer | None,
) -> list[Trained | NumericFailure]:
    """Train members to the last epoch; failed members leave the population.

    They leave once they are half of it. Until then the others keep their places, and so their bits.
    """
    population, epochs = Population(cell, members, data, device, start), cell.recipe.epochs
    results: dict[Member, Trained | NumericFailure] = {}
    histories: dict[Member, list[Evaluation]] = {member: [] for member in members}
    seconds_2, clocks_2, done = np.zeros(2), _clocks(), 0

    def record_failures(sound_K: NDArray[np.bool_], problem: str, epoch: int) -> None:
        """Record the members that are not sound any more."""
        for member, sound in zip(population.members, sound_K, strict=True):
            if not sound and member not in results:
                results[member] = numeric_failure(member, problem, epoch, epochs)

    def live() -> list[Member]:
        return [member for member in population.members if member not in results]

    def state(epoch: int) -> TrainingState:
        failed = [results.get(member) for member in members]
        return TrainingState(
            epoch=epoch,
            wall_s=float(seconds_2[0]),
            cpu_s=float(seconds_2[1]),
            histories=tuple(tuple(histories[member]) for member in members),
            failures=tuple(f.error if isinstance(f, NumericFailure) else None for f in failed),
            arrays=population.state(),
        )

    if checkpointer and (saved := checkpointer.load()):
        population.restore(saved.arrays)
        done, seconds_2 = saved.epoch, np.array([saved.wall_s, saved.cpu_s])
        histories = dict(zip(members, map(list, saved.histories), strict=True))
        failures = zip(members, saved.failures, strict=True)
        results = {m: NumericFailure(member=m, error=error) for m, error in failures if error}
    for epoch in range(done + 1, epochs + 1):
        population.train_epoch(epoch)
        seconds_2 = seconds_2 + (_clocks() - clocks_2) / len(population.members)
        clocks_2 = _clocks()
        record_failures(population.finite_members(), "weights are not finite", epoch)
        if live() and (epoch in epochs_evaluated or epoch == epochs):
            evaluations = _evaluate(population, cell, epoch, seconds_2)
            losses_K = np.array([e.train.loss + e.test.loss for e in evaluations.values()])
            record_failures(np.isfinite(losses_K), "losses are not finite", epoch)
            for member in live():
                histories[member].append(evaluations[member])
                if observe:
                    observe(member, evaluations[member])
        if 2 * len(live()) <= len(population.members):
            population.keep(np.array([member not in results for member in population.members]))
        if not population.members:
            break
        if checkpointer and epoch < epochs:
            checkpointer.save_if_due(partial(state, epoch))
    for member, predicted, weights in population.final_results():
        if member in results:
            continue
        results[member] = Trained(
            member=member,
            engine=ENGINE,
            device=device,
            history=tuple(histories[member]),
            predicted=predicted,
            correct=predicted == population.images.test.y_M.cpu().numpy(),
            weights=weights,
        )
    return [results[member] for member in members]


def _evaluate(
    population: Population, cell: Cell, epoch: int, seconds_2: NDArray[np.float64]
) -> dict[Member, Evaluation]:
    """Return every member's evaluation, as `train_model` evaluates one model."""
    images = population.images
    seen = images.train if epoch == cell.recipe.epochs else images.train.first(TRAIN_SAMPLE)
    train, test = population.score(seen), population.score(images.test)
    val = population.score(images.val) if images.val else [None] * len(test)
    return {
        member: Evaluation(
            epoch=epoch,
            examples_seen=epoch * cell.n_train,
            train=train[k],
            val=val[k],
            test=test[k],
            wall_s=float(seconds_2[0]),
            cpu_s=float(seconds_2[1]),
        )
        for k, member in enumerate(population.members)
    }


def _clocks() -> NDArray[np.float64]:
    """Return wall and processor seconds; members share the elapsed time equally."""
    return np.array([time.perf_counter(), time.process_time()])
