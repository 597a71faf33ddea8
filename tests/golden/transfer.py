"""The study `transfer` on drawn digits: pretrain on some of them, go on with others."""

from dataclasses import replace

from scaling.recipes import find_recipe
from scaling.study import Grid, Start, Study

FIRST = Start(dataset="strokes", n_train=400, recipe=replace(find_recipe("modern"), epochs=2))
RECIPES = (
    ("scratch", "modern", None),
    ("fine_tune", "modern", FIRST),
    ("linear_probe", "linear_probe", FIRST),
)

STUDY = Study(
    name="transfer",
    question="How many digits is it worth to have learned on others before?",
    grids=tuple(
        Grid(
            dataset=("strokes",),
            n_train=(20, 80),
            n_test=(300,),
            recipe=(replace(find_recipe(recipe), name=name),),
            epochs=(3,),
            seeds=(0, 1),
            start=start,
        )
        for name, recipe, start in RECIPES
    ),
)
