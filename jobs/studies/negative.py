"""Test the tricks that did not help in the write-up: claims C7 (ReLU alone), C8 and C9."""

from scaling.analyses import FEWER_TRICKS, Compare
from scaling.study import MODERN, Grid, Study

SEEDS = tuple(range(20))
# At this batch size the best of five rates each, on the validation images of two seeds (LOG).
BATCH, EPOCHS = 16, 40
CONVNET_LR, VIT_LR = 4e-3, 8e-3

STUDY = Study(
    name="negative",
    question="Do ReLU alone, weight normalization and a vision transformer of the same size fail"
    " to help, as the write-up reports?",
    analyses=(
        Compare(
            to=FEWER_TRICKS,
            title="Tricks that do not help",
            against="the same recipe without the trick",
        ),
    ),
    grids=(
        Grid(
            dataset=("mnist",),
            n_train=(7291,),
            recipe=("augment", "relu_alone", MODERN),
            seeds=SEEDS,
        ),
        Grid(  # trained by the slower engine
            dataset=("mnist",),
            n_train=(7291,),
            recipe=("weight_norm",),
            seeds=SEEDS[:8],
        ),
        Grid(
            dataset=("mnist",),
            n_train=(1823,),
            recipe=(MODERN,),
            batch_size=BATCH,
            epochs=(EPOCHS,),
            lr=CONVNET_LR,
            seeds=SEEDS[:8],
        ),
        Grid(
            dataset=("mnist",),
            n_train=(1823,),
            recipe=("gelu",),
            model=("micro_vit",),
            batch_size=BATCH,
            epochs=(EPOCHS,),
            lr=VIT_LR,
            seeds=SEEDS[:8],
        ),
    ),
    notes=(
        "The transformer and the convnet beside it are trained at the same batch size. Their"
        " learning rates were chosen on validation images, among equally many.",
    ),
)
