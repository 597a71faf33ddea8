"""Repeat five improvements of the modern recipe, reported in 2025 on one seed each: claim C21."""

from scaling.analyses import Compare
from scaling.study import MODERN, Grid, Study

STUDY = Study(
    name="revisit",
    question="Do five changes that a revisit of 2025 reports as improvements, on one seed each,"
    " improve the modern recipe over 100 seeds?",
    analyses=(
        Compare(
            to=MODERN,
            title="The revisit of 2025",
            against="the recipe of 2022 (all tricks)",
        ),
    ),
    grids=(
        Grid(
            dataset=("mnist",),
            n_train=(7291,),
            recipe=(
                MODERN,
                "more_dropout",
                "less_decay",
                "label_smoothing",
                "gelu",
                "gelu_less_decay",
            ),
            seeds=tuple(range(100)),
        ),
    ),
)
