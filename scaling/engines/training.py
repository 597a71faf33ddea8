"""How an engine that trains one model at a time trains it: epochs, evaluations, failures."""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scaling.data.selection import Examples, Selection
from scaling.engines.result import Evaluation, NumericFailure, Score, Trained
from scaling.engines.saved import Arrays, Keeper, Saved
from scaling.models.weights import Weights
from scaling.study import Cell, Member

TRAIN_SAMPLE = 2000  # training images evaluated before the last epoch: enough for a curve


class Model(Protocol):
    """One model in training, in whatever memory and by whatever means."""

    def train_epoch(self, epoch: int) -> str | None:
        """Train for an epoch, counted from 1; says what is not finite any more, if anything is."""

    def score(self, examples: Examples) -> Score:
        """Mean loss and misses: a pure function of weights and images."""

    def predict(self, examples: Examples) -> NDArray[np.uint8]:
        """The class of the largest output for each example, shape (N,)."""

    def weights(self) -> Weights:
        """The weights that `score` and `predict` go by."""

    def state(self) -> Arrays:
        """Copies of all that training changes, after a whole epoch."""

    def restore(self, state: Arrays) -> None:
        """Be again as a model of the same cell and member was then, to the last bit."""


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
    keeper: Keeper | None = None,
) -> Trained | NumericFailure:
    """Train a model to its last epoch, from where the keeper knows it; `observe` sees the rest."""
    epochs, done = cell.recipe.epochs, 0
    history: list[Evaluation] = []
    wall, cpu = time.perf_counter(), time.process_time()
    if keeper and (saved := keeper.load()):
        model.restore(saved.arrays)
        done, history = saved.epoch, list(saved.histories[0])
        wall, cpu = wall - saved.wall_s, cpu - saved.cpu_s

    def state(epoch: int) -> Saved:
        return Saved(
            epoch=epoch,
            wall_s=time.perf_counter() - wall,
            cpu_s=time.process_time() - cpu,
            histories=(tuple(history),),
            failures=(None,),
            arrays=model.state(),
        )

    for epoch in range(done + 1, epochs + 1):
        if broken := model.train_epoch(epoch):
            return failure(member, broken, epoch, epochs)
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
                return failure(member, "losses are not finite", epoch, epochs)
            history.append(evaluation)
            if observe:
                observe(member, evaluation)
        if keeper and epoch < epochs:
            keeper.save_if_due(partial(state, epoch))
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


def failure(member: Member, what: str, epoch: int, epochs: int) -> NumericFailure:
    """What is said of a model that is no numbers any more."""
    return NumericFailure(
        member=member,
        error=f"{what} in epoch {epoch} of {epochs} (learning rate {member.lr:g}):"
        " use a smaller learning rate",
    )
