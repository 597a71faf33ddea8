"""Find the lowest error at unchanged inference cost: claim C17."""

from scaling.analyses import Compare
from scaling.study import MODERN, Grid, Study

STUDY = Study(
    name="best",
    question="How much of the modern recipe's error is left by the best recipe that was found for"
    " the same network, at the same inference cost?",
    analyses=(
        Compare(
            to=MODERN,
            title="The best recipe",
            against="the recipe of 2022 (all tricks)",
        ),
    ),
    grids=(
        Grid(
            dataset=("mnist",),
            n_train=(7291,),
            recipe=(MODERN, "best"),
            seeds=tuple(range(10)),
        ),
    ),
    notes=(
        "The recipe `best` has the lowest validation error in the study `screening`: GELU, a"
        " learning rate that begins twice as high and falls to zero along a cosine, and four times"
        " the epochs. It costs as much at inference, but more training.",
    ),
)
