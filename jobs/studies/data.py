"""Measure the worth of more data, at both ends of the ladder."""

from scaling.analyses import ScalingCurve
from scaling.study import MODERN, Grid, Study

STUDY = Study(
    name="data",
    question="How does the test error fall from 911 to 60,000 training images, with the recipe of"
    " 1989 and with that of 2022?",
    analyses=(ScalingCurve(),),
    grids=(
        Grid(
            dataset=("mnist",),
            n_train=(911, 1823, 3646, 7291, 14582, 29164, 50000, 60000),
            recipe=("1989", MODERN),
            seeds=tuple(range(5)),
        ),
    ),
    notes=(
        "Each recipe trains for its published number of epochs at every size, so that more images"
        " also mean more updates; the study `epochs` separates the two.",
    ),
)
