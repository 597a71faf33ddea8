"""Find the best training length: the share of data and of updates in a learning curve."""

from scaling.analyses import Epochs
from scaling.study import MODERN, Grid, Study

EPOCHS = (5, 10, 20, 40, 80, 160, 320)

STUDY = Study(
    name="epochs",
    question="How many epochs are best for each number of training images, and how much of the"
    " apparent gain from data is due to more updates?",
    analyses=(Epochs(),),
    grids=(
        Grid(
            dataset=("mnist",),
            n_train=(911, 7291),
            split="tune",
            recipe=("1989", MODERN),
            epochs=EPOCHS,
            seeds=tuple(range(5)),
        ),
        Grid(
            dataset=("mnist",),
            n_train=(50000,),
            split="tune",
            recipe=("1989", MODERN),
            epochs=EPOCHS[:-1],
            seeds=(0, 1, 2),
        ),
        Grid(  # claim C12: the published baseline on 50,000 images had 100 epochs in place of 23
            dataset=("mnist",),
            n_train=(50000,),
            recipe=("1989",),
            epochs=(23, 100),
            seeds=tuple(range(20)),
        ),
    ),
    notes=("The best number of epochs is chosen by the validation images, never by the test set.",),
)
