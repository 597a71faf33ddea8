"""From a model's sizes and weights to the PyTorch module that engines train."""

from scaling.models.architecture import Architecture
from scaling.models.lecun1989 import Classifier, Network
from scaling.models.micro_vit import MicroViT
from scaling.models.micro_vit_module import MicroViTModule
from scaling.models.registry import Sizes
from scaling.models.weights import Weights
from scaling.recipes.recipe import Recipe


def build_network(sizes: Sizes, recipe: Recipe, weights: Weights) -> Classifier:
    """The module of a cell, its parameters named as the weights are."""
    if isinstance(sizes, MicroViT):
        return MicroViTModule(sizes, recipe, weights)
    assert isinstance(sizes, Architecture)
    return Network(sizes, recipe, weights)
