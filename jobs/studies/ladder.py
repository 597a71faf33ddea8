"""Repeat the published rows of the 2022 write-up, with the noise that one run does not show."""

from scaling.analyses import Ladder
from scaling.recipes.ladder import LADDER
from scaling.study import MODERN, Grid, Study

SEEDS = tuple(range(20))

STUDY = Study(
    name="ladder",
    question="Does each step of the 2022 write-up, from 82 test misses of 2,007 to 32 and to 25,"
    " hold over twenty seeds and fresh training subsets?",
    analyses=(Ladder(),),
    grids=(
        Grid(dataset=("mnist",), n_train=(7291,), recipe=tuple(LADDER), seeds=SEEDS),
        Grid(dataset=("mnist",), n_train=(50000,), recipe=("1989",), epochs=(100,), seeds=SEEDS),
        Grid(dataset=("mnist",), n_train=(50000,), recipe=(MODERN,), seeds=SEEDS),
    ),
    notes=(
        "Each model is tested on all 10,000 images; published counts of 2,007 are compared with the"
        " distribution that one run on a fresh subset and a random 2,007 of them would have.",
        "The write-up does not state the epochs of its last row: the 80 of dropout_relu are"
        " assumed.",
    ),
)
