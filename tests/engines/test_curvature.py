"""The diagonal of the second-order method, against what it is where it is exact."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from scaling.models.architecture import Architecture
from scaling.models.lecun1989 import Network
from scaling.models.weights import initial_weights
from scaling.optim.sdlm import curvature
from scaling.recipes.registry import find_recipe

RECIPES = {
    "mse": find_recipe("1989"),
    "twisted": find_recipe("paper"),
    "cross-entropy": replace(find_recipe("ce"), connections="cyclic"),
}


def network_of(name: str) -> Network:
    recipe = RECIPES[name]
    weights = initial_weights(Architecture(1.0), recipe, 3)
    return Network(Architecture(1.0), recipe, weights).double()


def exact(network: Network, x_BHW: torch.Tensor) -> dict[str, np.ndarray]:
    """The Gauss-Newton diagonal of the mean loss, for every weight, by all outputs' gradients."""
    names, values = zip(*network.named_parameters(), strict=True)
    total = {name: torch.zeros_like(value) for name, value in zip(names, values, strict=True)}
    for x in x_BHW:
        z = network(x[None])[0]
        second = torch.full((10,), 2 / 10, dtype=torch.double)
        if network.recipe.loss == "cross_entropy":  # of linear outputs
            p = z.softmax(dim=0).detach()
            second = p * (1 - p)
        for k in range(10):
            gradients = torch.autograd.grad(z[k], values, retain_graph=True)
            for name, gradient in zip(names, gradients, strict=True):
                total[name] += second[k] * gradient**2 / len(x_BHW)
    return {name: value.numpy() for name, value in total.items()}


@pytest.mark.parametrize("name", RECIPES)
def test_it_is_exact_where_nothing_meets_again(name: str) -> None:
    """The last two layers always; below, if one unit of H3 and one of H2 carry all there is."""
    network = network_of(name)
    x = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (3, 16, 16)))
    found, truth = curvature(network, x), exact(network, x)
    for layer in ("output_weight", "output_bias", "h3_weight", "h3_bias"):
        np.testing.assert_allclose(found[layer].numpy(), truth[layer], rtol=1e-9, atol=1e-15)
    assert not np.allclose(found["h2_bias"].numpy(), truth["h2_bias"], rtol=0.01)
    with torch.no_grad():
        network.output_weight[1:] = 0
        network.h3_weight[torch.arange(192) != 100] = 0  # plane 6, in the middle of its map
    found, truth = curvature(network, x), exact(network, x)
    for layer in ("h2_weight", "h2_bias", "h1_bias"):
        assert truth[layer].any()
        np.testing.assert_allclose(found[layer].numpy(), truth[layer], rtol=1e-9, atol=1e-15)
    # A shared weight of H1 sums over its places: each place's own, times its input squared.
    padded = torch.nn.functional.pad(x[:, None], (2, 2, 2, 2), value=-1.0)
    patches = torch.nn.functional.unfold(padded, 5, stride=2).unflatten(2, (8, 8))
    one = [curvature(network, image[None])["h1_bias"] for image in x]
    expected = sum(
        torch.einsum("pyx,tyx->pt", h, patch**2) for h, patch in zip(one, patches, strict=True)
    )
    assert torch.is_tensor(expected)
    np.testing.assert_allclose(
        found["h1_weight"].flatten(1).numpy(), expected.numpy() / len(x), rtol=1e-9
    )


def test_it_is_an_average_over_images() -> None:
    network = network_of("mse")
    x = torch.from_numpy(np.random.default_rng(1).uniform(-1, 1, (2, 16, 16)))
    both, first, second = (curvature(network, some) for some in (x, x[:1], x[1:]))
    for name, value in both.items():
        np.testing.assert_allclose(value, (first[name] + second[name]) / 2, rtol=1e-9)
