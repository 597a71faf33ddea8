"""A study that is quick to train and has sizes enough for fits and forecasts."""

from scaling.study import Grid, Study

STUDY = Study(
    name="small",
    question="How does the error fall with more drawn digits?",
    grids=(
        Grid(
            dataset=("strokes",),
            n_train=(64, 128, 256, 512, 1024),
            n_test=(1000,),
            recipe=("1989", "modern"),
            epochs=(20,),
            seeds=(0, 1, 2),
        ),
    ),
)
