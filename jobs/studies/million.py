"""Predict a million digits from 50,000: the forecast is stored before the training."""

from scaling.analyses import ScalingCurve
from scaling.study import MODERN, Grid, Study

FITTED = (911, 1823, 3646, 7291, 14582, 29164, 50000)
PREDICTED = (200_000, 1_000_000)
EPOCHS = 20  # the same at every size: near the 23 of 1989, a quarter of the 80 of 2022
RECIPES = ("1989", MODERN)

STUDY = Study(
    name="million",
    question="Does a curve fitted to at most 50,000 drawn digits predict the errors at 200,000 and"
    " at a million?",
    analyses=(ScalingCurve(),),
    grids=(
        Grid(
            dataset=("strokes",),
            n_train=FITTED,
            recipe=RECIPES,
            epochs=(EPOCHS,),
            seeds=tuple(range(5)),
        ),
        Grid(
            dataset=("strokes",),
            n_train=PREDICTED,
            recipe=RECIPES,
            epochs=(EPOCHS,),
            seeds=(0, 1, 2),
        ),
    ),
    notes=(
        f"The regime is fixed epochs: {EPOCHS} at every size, so that more images are also more"
        " updates.",
        "To predict first: `scaling sweep million --out OUT --n-train"
        f" {' '.join(map(str, FITTED))}` and `scaling predict OUT --study million`, then `scaling"
        " sweep million --out OUT`.",
    ),
)
