"""The ladder from 1989 to 2022: its recipes in historical order, each built on the previous one."""

from dataclasses import replace

from scaling.recipes.recipe import Recipe
from scaling.recipes.tricks import adamw, cross_entropy, dropout, relu, shift

BASELINE = "1989"  # the first rung
MODERN = "dropout_relu"  # the last rung, with all tricks

# Epochs and learning rates are the published ones: lecun1989-repro, repro.py and modern.py.
_1989 = Recipe(name=BASELINE, epochs=23, lr=0.03, output_bias=-1.0)
_CE = replace(cross_entropy(_1989), name="ce", lr=0.01)
_ADAMW = replace(adamw(_CE), name="adamw", lr=3e-4, epochs=46)
_AUGMENT = replace(shift(_ADAMW), name="augment", epochs=60)
_DROPOUT_RELU = replace(relu(dropout(_AUGMENT)), name=MODERN, epochs=80)

LADDER = {recipe.name: recipe for recipe in (_1989, _CE, _ADAMW, _AUGMENT, _DROPOUT_RELU)}
