"""A machine without a GPU trains on a device of its own making, where nothing is computed.

Every tensor knows its device and its shape, so that whatever mixes devices fails as on a GPU. A
process of its own, as PyTorch knows one such device: python on_another_device.py. It prints each
recipe as it trained.
"""

import warnings
from dataclasses import replace

import numpy as np
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from scaling.data.selection import Dataset, DatasetInfo
from scaling.engines.population import network, products
from scaling.engines.population.model import Population
from scaling.recipes.recipe import Recipe
from scaling.recipes.registry import find_recipe
from scaling.study import make_cell, make_members

DEVICE, IMAGES = "pretended", 8
NAMES = ("1989", "dropout_relu", "gelu", "mixup", "muon", "ema", "linear_probe")
NORMS = ("layer_norm", "group_norm", "weight_norm", "residual", "cyclic_connections")


def moved(module: nn.Module, device: str) -> nn.Module:
    """`module.to(device)`, which swaps parameters in a way that such tensors do not support."""
    for name, parameter in list(module.named_parameters()):
        setattr(module, name, nn.Parameter(parameter.detach().to(device)))
    for name, buffer in list(module.named_buffers()):
        setattr(module, name, buffer.to(device))
    return module


def train(how: Recipe, data: Dataset, model: str) -> None:
    cell = make_cell(data.info, how, n_train=how.batch_size, model=model)
    population = Population(cell, make_members(how, [0, 1]), data, DEVICE)
    population.train_epoch(1)
    changed = population._changing().values()
    assert {value.device.type for value in changed} == {DEVICE}
    for z_KB10, y_KB in population._outputs(population.images.test):
        assert {z_KB10.device.type, y_KB.device.type} == {DEVICE}


def main() -> None:
    warnings.simplefilter("error")
    _setup_privateuseone_for_python_backend(DEVICE)
    nn.Module.to = moved  # type: ignore[method-assign, assignment]
    products._patches = products.windows  # what is done on a GPU
    network.TracedFunction = lambda function: function  # type: ignore[misc, assignment]  a GPU needs none
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (IMAGES, 16, 16)).astype(np.float32)
    y = rng.integers(0, 10, IMAGES).astype(np.uint8)
    info = DatasetInfo(name="noise", version="1", n_train=IMAGES, n_test=IMAGES, n_val=0)
    data = Dataset(info=info, x_train=x, y_train=y, x_test=x, y_test=y)
    recipes = [find_recipe(name) for name in (*NAMES, *NORMS)]
    recipes += [replace(recipes[0], name="batch norm", norm="batch", batch_size=4)]
    for how in recipes:
        with FakeTensorMode(allow_non_fake_inputs=True):
            train(how, data, "lecun1989")
        print(how.name, flush=True)
    with FakeTensorMode(allow_non_fake_inputs=True):
        train(replace(recipes[1], batch_size=4), data, "micro_vit")
    print("micro_vit", flush=True)


if __name__ == "__main__":
    main()
