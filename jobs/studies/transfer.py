"""Compare pretraining on MNIST with training from scratch, on zip codes: claim C20."""

from dataclasses import replace

from scaling.analyses import Compare
from scaling.recipes.registry import find_recipe
from scaling.study import Grid, Start, Study

N_TRAIN = (10, 30, 100, 300, 911, 1823, 7291)
SEEDS = tuple(range(10))
# About 100,000 presentations at every size, so that few images are seen often enough; at least
# the published 80 epochs.
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
    question="How many zip-code digits is pretraining on MNIST worth?",
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
        "Each seed of `fine_tune` and `linear_probe` begins with a network trained on MNIST's"
        " 60,000 images for 20 epochs of the modern recipe; in `linear_probe` only the output layer"
        " is trained further. `scratch` begins with random weights. Each size has about 100,000"
        " presentations.",
    ),
)
