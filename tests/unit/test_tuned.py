"""Test the results of a tuning: the best values, or no distinguishable suggestion."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from analysis.effects.tuning import Tuning, tuning_of
from jobs.tuning.summary import best_so_far, summary_lines

N = 100  # validation images a seed


def tuned(misses: Sequence[Sequence[int]], losses: Sequence[float] | None = None) -> Tuning:
    """Suggestions of learning rates 1, 2, ... (1 is published), with their misses by seed."""
    losses = losses or [0.5] * len(misses)
    runs = [[f"{i}-{seed}" for seed in range(len(each))] for i, each in enumerate(misses)]
    rows = {
        run: {"seed": seed, "val_misses": each[seed], "val_n": N, "val_loss": loss}
        for names, each, loss in zip(runs, misses, losses, strict=True)
        for seed, run in enumerate(names)
    }
    tuning = {
        "total": len(misses), "published": {"lr": 1.0}, "fixed": {}, "widened": [],
        "space": [{"name": "lr", "range": [0.5, 20.0], "edges": [0.6, 19.0]}],
        "suggestions": [
            {"number": i, "values": {"lr": 1.0 + i}, "run_ids": names}
            for i, names in enumerate(runs)
        ],
    }  # fmt: skip
    cell = {
        "dataset": "rows", "source": "rows.npz", "n_train": 60, "width": 1.0, "model": "lecun1989",
        "recipe": {"name": "1989", "epochs": 3},
        "members": [{"seed": seed} for seed in range(len(misses[0]))],
    }  # fmt: skip
    plan: dict[str, Any] = {"name": "t", "cells": [cell], "command": "", "tuning": tuning}
    return tuning_of(plan, rows, lambda _: False)


def rates(found: Tuning) -> tuple[str, str]:
    """The learning rate that progress names, and the one to use at the end."""
    summary = found.summary()
    (named,) = re.findall(r" at lr (\S+)", best_so_far(summary))
    (used,) = re.findall(r"--lr (\S+)", "\n".join(summary_lines(summary)))
    return named, used


@pytest.mark.parametrize(
    ("misses", "losses"),
    [
        ([[90, 91], [90, 91], [90, 91]], [0.5, 0.4, 0.5]),
        ([[90, 91], [90, 91], [90, 91]], [0.5, float("inf"), 0.5]),
        ([[90, 94, 88], [89, 91, 90], [92, 93, 89], [88, 95, 90]], None),
        ([[0, 1], [0, 0]], None),
        ([[5], [3], [6], [4]], None),
        ([[0], [0]], None),
    ],
    ids=["equal", "a loss without bounds", "by chance", "one miss", "one seed", "no misses"],
)
def test_where_nothing_distinguishes_the_published_values_are_used(
    misses: list[list[int]], losses: list[float] | None
) -> None:
    found = tuned(misses, losses)
    assert not found.distinct()
    lines = summary_lines(found.summary())
    assert f"nothing distinguishes these {len(misses)} suggestions" in lines[1]
    assert not any(line.startswith(("best", "FLAG")) for line in lines)
    assert rates(found) == ("1", "1")
    assert "nothing distinguishes them so far" in best_so_far(found.summary())


@pytest.mark.parametrize(
    "misses",
    [
        [[40, 43, 41], [20, 22, 19], [60, 66, 63]],
        [[4, 6, 5], [0, 0, 0], [60, 66, 63]],
        [[50], [10], [90]],
        [[40, 43], [20, 21]],
    ],
    ids=["near", "none missed", "one seed", "two"],
)
def test_what_misses_fewer_beyond_chance_is_best(misses: list[list[int]]) -> None:
    found = tuned(misses)
    assert found.distinct()
    lines = summary_lines(found.summary())
    assert any(line.startswith("best: lr 2:") for line in lines)
    assert not any("do as well" in line for line in lines)
    assert rates(found) == ("2", "2")


def test_a_best_that_is_no_better_than_the_published_values_says_so() -> None:
    found = tuned([[20, 24, 21], [19, 23, 22], [60, 66, 63]])
    assert found.distinct()
    lines = summary_lines(found.summary())
    assert any(line.endswith("points: the published values do as well") for line in lines)


def test_a_single_suggestion_is_compared_with_nothing() -> None:
    found = tuned([[5, 6]])
    assert "nothing to compare it with" in summary_lines(found.summary())[1]
    assert best_so_far(found.summary()) == ", 5.50% of validation images missed at lr 1"


def test_suggestions_that_are_alike_are_seldom_told_apart() -> None:
    rng = np.random.default_rng(3)
    told = 0
    for _ in range(300):
        seeds = rng.uniform(0.1, 0.3, 3)  # a seed's images are harder than another's
        told += tuned([list(rng.binomial(N, seeds)) for _ in range(9)]).distinct()
    assert told <= 30, "5 % at most are meant, 10 are allowed"
