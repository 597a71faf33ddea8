"""One cell whose seeds two engines have trained: what the report's section on engines needs."""

from scaling.study import Grid, Study

STUDY = Study(
    name="engines",
    question="Does it matter which engine trained a model?",
    grids=(
        Grid(
            dataset=("strokes",),
            n_train=(96,),
            n_test=(300,),
            recipe=("1989",),
            epochs=(3,),
            seeds=tuple(range(6)),
        ),
    ),
)
