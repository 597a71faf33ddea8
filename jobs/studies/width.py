"""Measure the gain of a larger network and its cost of inference: claim C13."""

from scaling.analyses import SMALLEST_WIDTH, Compare
from scaling.study import MODERN, Grid, Study

STUDY = Study(
    name="width",
    question="How much does a wider network gain on the 7,291 images of 1989, and at what cost of"
    " inference?",
    analyses=(
        Compare(
            to=SMALLEST_WIDTH,
            axis="n_macs",
            title="Width",
            against="the same recipe at the smallest width",
        ),
    ),
    grids=(
        Grid(
            dataset=("mnist",),
            n_train=(7291,),
            width=(1.0, 2.0, 4.0),
            recipe=("1989", MODERN),
            seeds=tuple(range(10)),
        ),
        Grid(  # a hundred seconds a model
            dataset=("mnist",),
            n_train=(7291,),
            width=(8.0,),
            recipe=(MODERN,),
            seeds=(0, 1, 2),
        ),
        # The published rate of 1989 is too high for this width: training sometimes fails.
        Grid(
            dataset=("mnist",),
            n_train=(7291,),
            width=(8.0,),
            recipe=("1989",),
            lr=0.015,
            seeds=(0, 1, 2),
        ),
    ),
)
