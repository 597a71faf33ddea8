"""A study for cores and a GPU at once: two recipes, three sizes, two widths, eight seeds."""

from scaling.study import Grid, Study

STUDY = Study(
    name="both",
    question="Do cores and a GPU train a study together, whatever is killed?",
    grids=(
        Grid(
            dataset=("strokes",),
            n_train=(100, 200, 400),
            n_test=(1000,),
            width=(1.0, 2.0),
            recipe=("1989", "modern"),
            epochs=(40,),
            seeds=(0, 1, 2, 3, 4, 5, 6, 7),
        ),
    ),
)
