"""The PyTorch module of a model, made from its sizes and weights."""

from scaling.models.architecture import Architecture
from scaling.models.lecun1989 import Classifier, Network
from scaling.models.micro_vit import MicroViT
from scaling.models.micro_vit_module import MicroViTModule
from scaling.models.registry import Sizes
from scaling.models.weights import Weights
from scaling.recipes.recipe import Recipe


def build_network(sizes: Sizes, recipe: Recipe, weights: Weights) -> Classifier:
    """Return a module whose parameters have the names of the weights."""
    if isinstance(sizes, MicroViT):
        return MicroViTModule(sizes, recipe, weights)
    assert isinstance(sizes, Architecture)
    return Network(sizes, recipe, weights)
