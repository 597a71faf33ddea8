"""From a model's sizes and weights to the PyTorch module that engines train."""

from scaling.architecture import Architecture
from scaling.micro_vit import MicroViT
from scaling.micro_vit_module import MicroViTModule
from scaling.model import Classifier, Network
from scaling.models import Sizes
from scaling.recipe import Recipe
from scaling.weights import Weights


def build_network(sizes: Sizes, recipe: Recipe, weights: Weights) -> Classifier:
    """The module of a cell, its parameters named as the weights are."""
    if isinstance(sizes, MicroViT):
        return MicroViTModule(sizes, recipe, weights)
    assert isinstance(sizes, Architecture)
    return Network(sizes, recipe, weights)
