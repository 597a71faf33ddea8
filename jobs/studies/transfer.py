"""Nobody trains from scratch, in small: pretrain on MNIST, go on with zip codes. Claim C20."""

from dataclasses import replace

from scaling.analyses import Compare
from scaling.recipes.registry import find_recipe
from scaling.study import Grid, Start, Study

N_TRAIN = (10, 30, 100, 300, 911, 1823, 7291)
SEEDS = tuple(range(10))
# As many presentations at every size that few images are seen often enough: about 100,000, and
# the published 80 epochs where that is more.
EPOCHS = {n: max(80, 100_000 // n) for n in N_TRAIN}
FIRST = Start(dataset="mnist", n_train=60000, recipe=replace(find_recipe("modern"), epochs=20))


def _grids(name: str, recipe: str, start: Start | None) -> tuple[Grid, ...]:
    return tuple(
        Grid(
            dataset=("usps",),
            n_train=(n,),
            recipe=(replace(find_recipe(recipe), name=name),),
            epochs=(EPOCHS[n],),
            seeds=SEEDS,
            start=start,
        )
        for n in N_TRAIN
    )


STUDY = Study(
    name="transfer",
    question="How many zip-code digits is it worth to have learned on MNIST before?",
    analyses=(
        Compare(
            to="scratch",
            axis="n_train",
            title="Transfer from MNIST to zip codes",
            against="training from scratch",
        ),
    ),
    grids=(
        *_grids("scratch", "modern", None),
        *_grids("fine_tune", "modern", FIRST),
        *_grids("linear_probe", "linear_probe", FIRST),
    ),
    notes=(
        "Each seed begins with a network trained on MNIST's 60,000 images for 20 epochs of the"
        " modern recipe (`fine_tune`, and `linear_probe` where only the output layer goes on"
        " learning) or with random weights (`scratch`); about 100,000 presentations at each size.",
    ),
)
