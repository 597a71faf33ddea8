"""The training loop of engines that train one model at a time: epochs, evaluations, failures."""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scaling.data.selection import Examples, Selection
from scaling.engines.result import Evaluation, NumericFailure, Score, Trained
from scaling.engines.saved import Arrays, Checkpointer, TrainingState
from scaling.models.weights import Weights
from scaling.study import Cell, Member

TRAIN_SAMPLE = 2000  # training images evaluated before the last epoch; enough for a learning curve


class Model(Protocol):
    """One model in training, as each engine implements it."""

    def train_epoch(self, epoch: int) -> str | None:
        """Train for an epoch, counted from 1; return what became NaN or infinite, or None."""

    def score(self, examples: Examples) -> Score:
        """Return mean loss and misses, a pure function of weights and images."""

    def predict(self, examples: Examples) -> NDArray[np.uint8]:
        """Return the class of the largest output for each example, shape (N,)."""

    def weights(self) -> Weights:
        """Return the weights that `score` and `predict` use."""

    def state(self) -> Arrays:
        """Return copies of everything that training changes, after a whole epoch."""

    def restore(self, state: Arrays) -> None:
        """Restore `state` of the same cell and member bit for bit."""


def train_model(
    model: Model,
    cell: Cell,
    member: Member,
    chosen: Selection,
    *,
    engine: str,
    device: str,
    epochs_evaluated: Sequence[int],
    observe: Callable[[Member, Evaluation], None] | None,
    checkpointer: Checkpointer | None = None,
) -> Trained | NumericFailure:
    """Train a model to its last epoch, from its checkpoint if it has one.

    `observe` receives the evaluations from there on.
    """
    epochs, done = cell.recipe.epochs, 0
    history: list[Evaluation] = []
    wall, cpu = time.perf_counter(), time.process_time()
    if checkpointer and (saved := checkpointer.load()):
        model.restore(saved.arrays)
        done, history = saved.epoch, list(saved.histories[0])
        wall, cpu = wall - saved.wall_s, cpu - saved.cpu_s

    def state(epoch: int) -> TrainingState:
        return TrainingState(
            epoch=epoch,
            wall_s=time.perf_counter() - wall,
            cpu_s=time.process_time() - cpu,
            histories=(tuple(history),),
            failures=(None,),
            arrays=model.state(),
        )

    for epoch in range(done + 1, epochs + 1):
        if problem := model.train_epoch(epoch):
            return numeric_failure(member, problem, epoch, epochs)
        if epoch in epochs_evaluated or epoch == epochs:
            seen = chosen.train if epoch == epochs else chosen.train.first(TRAIN_SAMPLE)
            evaluation = Evaluation(
                epoch=epoch,
                examples_seen=epoch * len(chosen.train),
                wall_s=time.perf_counter() - wall,
                cpu_s=time.process_time() - cpu,
                train=model.score(seen),
                val=model.score(chosen.val) if chosen.val else None,
                test=model.score(chosen.test),
            )
            if not math.isfinite(evaluation.train.loss + evaluation.test.loss):
                return numeric_failure(member, "losses are not finite", epoch, epochs)
            history.append(evaluation)
            if observe:
                observe(member, evaluation)
        if checkpointer and epoch < epochs:
            checkpointer.save_if_due(partial(state, epoch))
    predicted = model.predict(chosen.test)
    return Trained(
        member=member,
        engine=engine,
        device=device,
        history=tuple(history),
        predicted=predicted,
        correct=predicted == chosen.test.y,
        weights=model.weights(),
    )


def numeric_failure(member: Member, problem: str, epoch: int, epochs: int) -> NumericFailure:
    """Return the failure of a model with NaN or infinity."""
    return NumericFailure(
        member=member,
        error=f"{problem} in epoch {epoch} of {epochs} (learning rate {member.lr:g}):"
        " use a smaller learning rate",
    )
