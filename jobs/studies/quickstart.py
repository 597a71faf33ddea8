"""How does the error fall with more data, in 1989 and with the tricks of 2022? In minutes."""

from scaling.study import Grid, Study

STUDY = Study(
    name="quickstart",
    question="How does the test error fall with the number of training images,"
    " with the recipe of 1989 and with that of 2022?",
    grids=(
        Grid(
            n_train=(911, 1823, 3646, 7291),
            recipe=("1989", "dropout_relu"),
            epochs=(10,),
            seeds=(0, 1, 2),
        ),
    ),
    notes=(
        "To end within minutes this study trains for 10 epochs (published: 23 and 80) and stops at"
        " 7,291 images: its exponents mix the effect of more images with that of more updates, and"
        " the 2022 recipe, made for long training, is shown at a disadvantage.",
    ),
)
