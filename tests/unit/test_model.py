"""The 1989 network against the paper's own numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from scaling.errors import InputError
from scaling.models.architecture import Architecture
from scaling.models.lecun1989 import Network, loss_of
from scaling.models.weights import initial_weights
from scaling.recipes.registry import find_recipe

RECIPE = find_recipe("1989")


def make(width: float = 1.0, recipe: str = "1989", seed: int = 0) -> Network:
    architecture, found = Architecture(width), find_recipe(recipe)
    return Network(architecture, found, initial_weights(architecture, found, seed))


def test_layers_have_the_papers_sizes() -> None:
    network = Architecture(1.0)
    assert [layer.n_params for layer in network.layers] == [1068, 2592, 5790, 310]
    assert network.n_params == 9760
    assert network.n_units == 1256
    assert network.n_connections == 64660
    assert network.n_macs == 63660
    assert network.train_flop(167_693) == 6 * 63660 * 167_693


@pytest.mark.parametrize("width", [0.5, 1.0, 2.0, 3.0, 4.0])
def test_the_module_has_the_parameters_that_are_counted(width: float) -> None:
    network = make(width)
    assert sum(p.numel() for p in network.parameters()) == Architecture(width).n_params
    assert network(torch.zeros(3, 16, 16)).shape == (3, 10)


@pytest.mark.parametrize("width", [0, -1, 0.3, float("nan"), float("inf")])
def test_a_width_that_is_no_multiple_of_a_half_is_refused(width: float) -> None:
    with pytest.raises(InputError, match=r"multiple of 0\.5"):
        Architecture(width)


def test_macs_are_the_multiplications_that_are_done() -> None:
    """Each unit's fan-in, counted by what a change of one input or weight can reach."""
    h1, h2, h3, out = Architecture(1.0).layers
    assert (h1.macs, h2.macs, h3.macs, out.macs) == (19200, 38400, 5760, 300)


def test_forward_agrees_with_loops_over_the_definition() -> None:
    """Each unit summed by hand: which pixels and planes it sees, and -1 beyond every edge."""
    network = make(seed=3).double()
    weights = {name: p.detach().numpy() for name, p in network.named_parameters()}
    x = np.random.default_rng(0).uniform(-1, 1, (16, 16))

    def convolve(planes: np.ndarray, kernel: np.ndarray, y: int, z: int) -> float:
        padded = np.pad(planes, ((0, 0), (2, 2), (2, 2)), constant_values=-1)
        return float((padded[:, 2 * y : 2 * y + 5, 2 * z : 2 * z + 5] * kernel).sum())

    a1 = np.array(
        [
            [
                [
                    np.tanh(
                        convolve(x[None], weights["h1_weight"][p], y, z)
                        + weights["h1_bias"][p, y, z]
                    )
                    for z in range(8)
                ]
                for y in range(8)
            ]
            for p in range(12)
        ]
    )
    sees = [list(range(8)), list(range(4, 12)), [0, 1, 2, 3, 8, 9, 10, 11]]
    a2 = np.array(
        [
            [
                [
                    np.tanh(
                        convolve(a1[sees[p // 4]], weights["h2_weight"][p], y, z)
                        + weights["h2_bias"][p, y, z]
                    )
                    for z in range(4)
                ]
                for y in range(4)
            ]
            for p in range(12)
        ]
    )
    a3 = np.tanh(a2.ravel() @ weights["h3_weight"] + weights["h3_bias"])
    expected = np.tanh(a3 @ weights["output_weight"] + weights["output_bias"])
    got = network(torch.from_numpy(x)[None])[0].detach().numpy()
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_initial_weights_fill_the_papers_interval() -> None:
    weights = initial_weights(Architecture(4.0), RECIPE, seed=0)
    for name, fan_in in (("h1", 25), ("h2", 800), ("h3", 768), ("output", 120)):
        values, bound = weights[f"{name}_weight"], 2.4 / fan_in**0.5
        assert np.abs(values).max() <= bound
        assert np.abs(values).max() > 0.98 * bound
        assert abs(values.mean()) < 0.05 * bound
    assert (weights["output_bias"] == -1).all()
    assert (weights["h3_bias"] == 0).all()
    modern = initial_weights(Architecture(1.0), find_recipe("modern"), seed=0)
    assert (modern["output_bias"] == 0).all()


def test_weights_differ_between_seeds_and_are_the_same_for_one() -> None:
    first, again, other = (initial_weights(Architecture(1.0), RECIPE, s) for s in (0, 0, 1))
    assert all((first[name] == again[name]).all() for name in first)
    assert (first["h2_weight"] != other["h2_weight"]).mean() > 0.99


def test_squared_error_is_the_mean_over_ten_outputs_with_targets_of_minus_and_plus_one() -> None:
    z, y = torch.zeros(2, 10), torch.tensor([3, 4])
    z[0, 3] = 0.5
    assert float(loss_of(RECIPE, z, y)) == pytest.approx((19 + 0.25) / 20)


def test_cross_entropy_is_the_mean_over_examples() -> None:
    z, y = torch.zeros(2, 10), torch.tensor([3, 4])
    recipe = replace(RECIPE, loss="cross_entropy")
    assert float(loss_of(recipe, z, y)) == pytest.approx(np.log(10))
