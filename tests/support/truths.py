"""Define studies of models with known true errors: by tricks, images and width."""

import math

from jobs.studies import find_study, names
from scaling.analyses import ScalingCurve
from scaling.study import Cell, Grid, Study

FACTORS = {
    "cross_entropy": 1.0,
    "adamw": 0.8,
    "shift": 0.6,
    "dropout": 0.7,
    "relu": 1.0,
    "weight_norm": 1.3,
    "gelu": 0.75,
    "label_smoothing": 1.4,
    "ema": 0.3,
}


def truth(cell: Cell) -> float:
    """Return a cell's error: tricks multiply, images and width help, norms help wide networks."""
    error = 0.18 * (cell.n_train / 7291) ** -0.4 * cell.width**-0.3
    error *= math.prod(FACTORS.get(name, 1.0) for name, _ in cell.recipe.tricks)
    if cell.model == "micro_vit":
        error *= 2
    if cell.recipe.name == "fine_tune":
        error *= 0.4
    if cell.width > 1 and cell.recipe.norm != "none":
        error *= 0.5
    return min(error, 0.8)


OTHERS = (
    Study(
        name="best",
        question="?",
        grids=(
            Grid(dataset=("mnist",), n_train=(7291,), recipe=("dropout_relu", "ema"), seeds=(0,)),
        ),
    ),
)

SECTIONED = [
    study
    for study in map(find_study, names())
    if not any(isinstance(analysis, ScalingCurve) for analysis in study.analyses)
]
STUDIES = {study.name: study for study in (*SECTIONED, *OTHERS)}


def few(cell: Cell) -> bool:
    """Return whether a cell is among those that suffice for its section of the report."""
    sizes, widths = (10, 7291, 14582, 50000), (1, 4)
    if cell.split == "tune" and cell.recipe.name not in ("1989", "dropout_relu", "ema"):
        return False
    return (
        (cell.n_train in sizes or cell.recipe.norm != "none" or cell.recipe.epochs == 30)
        and cell.width in widths
        and cell.recipe.epochs not in (5, 10, 160)
    )
