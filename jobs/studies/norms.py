"""Test whether norms and residual connections help a small network more as it grows: claim C10."""

from scaling.analyses import Compare
from scaling.study import MODERN, Grid, Study

STUDY = Study(
    name="norms",
    question="Do normalization and residual connections help more the wider the network is?",
    analyses=(
        Compare(
            to=MODERN,
            axis="n_macs",
            title="Norms and residual connections",
            against="the recipe of 2022 (all tricks) at the same width",
        ),
    ),
    grids=(
        Grid(
            dataset=("mnist",),
            n_train=(1823,),
            width=(1.0, 2.0, 4.0),
            recipe=(MODERN, "layer_norm", "group_norm", "residual", "residual_layer_norm"),
            epochs=(30,),
            seeds=tuple(range(8)),
        ),
    ),
    notes=(
        "A quarter of the images of 1989 and 30 epochs, as the slower engine trains these recipes."
        " All have the learning rate of the modern recipe.",
    ),
)
