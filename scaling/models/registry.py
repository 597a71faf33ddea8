"""The models by name, with their sizes and initial weights. No torch.

A new model is a file of sizes and initial weights (like micro_vit.py), a file with its module (like
micro_vit_module.py), and a line here and in build.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from scaling.errors import InputError
from scaling.models import architecture, micro_vit, weights
from scaling.models.architecture import Architecture
from scaling.models.micro_vit import MicroViT
from scaling.models.weights import Weights
from scaling.recipes.recipe import Recipe


class Sizes(Protocol):
    """The counts of a model."""

    @property
    def n_params(self) -> int: ...
    @property
    def n_macs(self) -> int: ...
    @property
    def dropped_units(self) -> int: ...
    def train_flop(self, examples_seen: int) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model's name, version and sizes; raise the version when the model computes otherwise."""

    name: str
    version: int
    sizes: Callable[[float, Recipe], Sizes]  # at a width; raises InputError for an impossible one


MODELS = {
    model.name: model
    for model in (
        Model(
            name=architecture.MODEL,
            version=architecture.VERSION,
            sizes=lambda width, recipe: Architecture(width, recipe.norm),
        ),
        Model(
            name=micro_vit.NAME,
            version=micro_vit.VERSION,
            sizes=lambda width, recipe: MicroViT(width),  # noqa: ARG005
        ),
    )
}


def find_model(name: str) -> Model:
    """Return the model of this name. Raises InputError for an unknown one."""
    if name not in MODELS:
        raise InputError(f"unknown model '{name}': expected one of {', '.join(MODELS)}")
    return MODELS[name]


def initial_weights(sizes: Sizes, recipe: Recipe, seed: int) -> Weights:
    """Return the weights with which every engine starts a model of this size."""
    if isinstance(sizes, MicroViT):
        return micro_vit.initial_weights(sizes, seed)
    assert isinstance(sizes, Architecture)
    return weights.initial_weights(sizes, recipe, seed)
