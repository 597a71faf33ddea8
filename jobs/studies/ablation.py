"""Train all 32 combinations of the ladder's five tricks: the worth of each over all orders."""

from itertools import combinations

from scaling.analyses import Factorial
from scaling.recipes.variants import LADDER_TRICKS, factorial
from scaling.study import Grid, Study

STUDY = Study(
    name="ablation",
    question="What is each of the ladder's tricks worth, averaged over the orders in which they"
    " could have been found?",
    analyses=(Factorial(),),
    grids=(
        Grid(
            dataset=("mnist",),
            n_train=(7291,),
            recipe=tuple(
                factorial(chosen)
                for count in range(len(LADDER_TRICKS) + 1)
                for chosen in combinations(LADDER_TRICKS, count)
            ),
            seeds=tuple(range(10)),
        ),
    ),
    notes=(
        "Every combination trains for 60 epochs at the published learning rate of its optimizer"
        " and loss (AdamW's, published with cross-entropy, serves both losses). Plain SGD with"
        " ReLU diverges at these rates: it has a third of them, chosen on validation images.",
    ),
)
