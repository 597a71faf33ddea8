"""Train the ladder on the data of the 1989/1990 papers, beside their own 10 and 102 misses."""

from scaling.analyses import Ladder
from scaling.recipes.ladder import LADDER
from scaling.recipes.variants import PAPER_TRICKS
from scaling.study import Grid, Study

SUSPECTS = (*(trick.name for trick in PAPER_TRICKS), "paper")

STUDY = Study(
    name="zipcode",
    question="How close does the recipe of 1989 come to the paper's own 10 training and 102 test"
    " misses on the zip-code digits, and what do its undocumented choices contribute?",
    analyses=(Ladder(title="Zip codes", compare_to="1989"),),
    grids=(
        Grid(
            dataset=("usps",),
            n_train=(7291,),
            recipe=(*LADDER, *SUSPECTS),
            seeds=tuple(range(20)),
        ),
    ),
    notes=(
        "The digits are the data of the 1989/1990 papers as published later; they may differ from"
        " the files of 1989 in their preparation, and all 7,291 of them are used, so that seeds"
        " differ only in initial weights and in the order of the images.",
        "The suspects are the paper's choices that the reproduction of 2022 changed or guessed:"
        " each alone, and all four together (`paper`).",
    ),
)
