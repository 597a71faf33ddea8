"""Measure in minutes how the error falls with more data, in 1989 and with the tricks of 2022."""

from scaling.analyses import ScalingCurve
from scaling.study import MODERN, Grid, Study

STUDY = Study(
    name="quickstart",
    question="How does the test error fall with the number of training images,"
    " with the recipe of 1989 and with that of 2022?",
    analyses=(ScalingCurve(),),
    grids=(
        Grid(
            n_train=(911, 1823, 3646, 7291, 14582, 29164, 50000),  # 1989's size times powers of two
            recipe=("1989", MODERN),
            seeds=(0, 1, 2, 3, 4),
        ),
    ),
    notes=(
        "Each recipe trains for its published number of epochs at every size, so that more images"
        " also mean more updates: the exponents mix the two.",
    ),
)
