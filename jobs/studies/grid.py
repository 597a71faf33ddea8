"""Train a grid: training images by width by both ends of the ladder."""

from scaling.analyses import Compare, Interaction
from scaling.study import MODERN, Grid, Study

STUDY = Study(
    name="grid",
    question="How does the test error fall with training images and with width together, with the"
    " recipe of 1989 and with that of 2022?",
    analyses=(
        Compare(
            to="1989",
            axis="n_train",
            title="The grid",
            against="the recipe of 1989 at the same size and width",
        ),
        Interaction("width", "n_train"),
    ),
    grids=(
        Grid(
            dataset=("mnist",),
            n_train=(7291, 14582, 29164, 50000),
            width=(1.0, 2.0, 4.0),
            recipe=("1989", MODERN),
            seeds=tuple(range(5)),
        ),
    ),
    notes=(
        "Published epochs and learning rates everywhere. `scaling tune` at 7,291 images found no"
        " better learning rate for the 1989 recipe at widths 1, 2 and 4 than the published one, to"
        " within the noise of three seeds (analysis/LOG.md).",
    ),
)
