"""Misses of trained models beside others of the same cells and seeds: how near they must be."""

from typing import Any

import pandas as pd

from acceptance.stored import CELL

# A last digit that is rounded otherwise (another processor, another engine) grows while a network
# is trained, until it moves a few images. Measured on these studies, of 1,000 test images: AVX2
# beside AVX-512 moves a model by at most 7 misses (60 to 53) and the mean of a cell by 0.9; the
# population engine beside the compiled one by at most 19 (of 212) and 4.1 (of 396). The bounds
# are about twice that. Seeds differ by 8 to 45, so another recipe or other data go beyond.
MODEL, MODEL_SHARE = 10, 0.15
MEAN, MEAN_SHARE = 3, 0.05


def too_far(expected: pd.Series, found: pd.Series) -> list[str]:
    """Return a line for each model, and each mean of a cell, whose misses are not near enough."""
    lines = _beyond(expected, found, MODEL, MODEL_SHARE)
    means = [misses.groupby(level=CELL).mean() for misses in (expected, found)]
    return [*lines, *_beyond(means[0], means[1], MEAN, MEAN_SHARE)]


def _beyond(expected: pd.Series, found: pd.Series, misses: float, share: float) -> list[str]:
    assert expected.index.equals(found.index), "these are not the same cells and seeds"
    bad = (found - expected).abs() > misses + share * expected
    return [f"{key}: {found[key]:g} misses, expected {expected[key]:g}" for key in bad.index[bad]]


def figures(rows: pd.DataFrame) -> dict[str, Any]:
    """Return what is stored of trained models: misses by cell and seed, losses, the processor."""
    cells: dict[str, Any] = {}
    for (recipe, width, n_train), part in rows.groupby(level=CELL):
        cells[f"{recipe} w{width:g} n{n_train}"] = {
            "recipe": recipe,
            "width": width,
            "n_train": n_train,
            "seeds": part.index.get_level_values("seed").tolist(),
            "misses": part["test_misses"].tolist(),
            "losses": [float(f"{loss:.8g}") for loss in part["test_loss"]],
        }
    return {"processor": processor(rows), "cells": cells}


def series(stored: dict[str, Any], what: str) -> pd.Series:
    """Return stored misses or losses by recipe, width, size and seed."""
    found = {
        (cell["recipe"], cell["width"], cell["n_train"], seed): value
        for cell in stored["cells"].values()
        for seed, value in zip(cell["seeds"], cell[what], strict=True)
    }
    return pd.Series(found).rename_axis([*CELL, "seed"]).sort_index()


def processor(rows: pd.DataFrame) -> str:
    """Return the one kind of processor that the compiled engine's code was made for."""
    (kind,) = {dict(versions)["processor"] for versions in rows["versions"]}
    return str(kind)
