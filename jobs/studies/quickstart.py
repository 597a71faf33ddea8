"""How does the error fall with more data, in 1989 and with the tricks of 2022? In minutes."""

from scaling.study import Grid, Study

SIZES = (911, 1823, 3646, 7291)  # factors of two below the 7,291 of 1989
SEEDS = (0, 1, 2)

STUDY = Study(
    name="quickstart",
    question="How does the test error fall with the number of training images,"
    " with the recipe of 1989 and with that of 2022?",
    grids=(
        Grid(n_train=SIZES, recipe=("1989",), epochs=(8,), seeds=SEEDS),
        Grid(n_train=SIZES, recipe=("dropout_relu",), epochs=(16,), seeds=SEEDS),
    ),
    notes=(
        "To end within minutes this study trains for 8 and 16 epochs (published: 23 and 80) and"
        " stops at 7,291 images. Its exponents mix the effect of more images with that of more"
        " updates, and the recipe of 2022, made for long training, is shown at a disadvantage.",
    ),
)
