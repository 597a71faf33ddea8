"""The micro-ViT: its counts against the convnet's, and its module against a second writing."""

import numpy as np
import pytest
import torch
from torch import nn

from scaling import engines
from scaling.data.selection import Dataset
from scaling.engines import Trained
from scaling.errors import InputError
from scaling.models.architecture import Architecture
from scaling.models.micro_vit import MicroViT, initial_weights
from scaling.models.micro_vit_module import MicroViTModule
from scaling.recipes.registry import find_recipe
from scaling.study import make_cell, make_members

RECIPE = find_recipe("gelu")


def test_it_is_as_small_as_the_1989_network() -> None:
    vit, convnet = MicroViT(1.0), Architecture(1.0)
    assert (vit.n_params, vit.n_macs) == (9310, 63040)
    assert abs(vit.n_params / convnet.n_params - 1) < 0.15
    assert abs(vit.n_macs / convnet.n_macs - 1) < 0.15


@pytest.mark.parametrize("width", [1.0, 2.0])
def test_the_module_has_what_is_counted(width: float) -> None:
    sizes = MicroViT(width)
    module = MicroViTModule(sizes, RECIPE, initial_weights(sizes, 0))
    assert sum(p.numel() for p in module.parameters()) == sizes.n_params
    macs = 0

    def count(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        nonlocal macs
        result = original(a, b)
        macs += result.numel() * a.shape[-1]
        return result

    original = torch.Tensor.__matmul__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "__matmul__", count)
        module(torch.zeros(1, 16, 16))
    assert macs == sizes.n_macs


def test_it_computes_what_pytorchs_own_encoder_computes() -> None:
    sizes = MicroViT(1.0)
    weights = initial_weights(sizes, 1)
    rng = np.random.default_rng(0)
    weights = {k: v + rng.normal(0, 0.1, v.shape).astype(np.float32) for k, v in weights.items()}
    module = MicroViTModule(sizes, RECIPE, weights)
    w = {name: torch.from_numpy(value) for name, value in weights.items()}
    x = torch.from_numpy(rng.uniform(-1, 1, (5, 16, 16)).astype(np.float32))
    patches = torch.nn.functional.unfold(x[:, None], (8, 4), stride=(8, 4)).transpose(1, 2)
    values = patches @ w["patch_weight"] + w["patch_bias"] + w["position"]
    for b in range(2):
        layer = nn.TransformerEncoderLayer(
            20, 4, 40, dropout=0, activation="gelu", batch_first=True, norm_first=True
        )
        theirs = {
            "self_attn.in_proj_weight": w[f"block{b}_qkv_weight"].T,
            "self_attn.in_proj_bias": w[f"block{b}_qkv_bias"],
            "self_attn.out_proj.weight": w[f"block{b}_mix_weight"].T,
            "self_attn.out_proj.bias": w[f"block{b}_mix_bias"],
            "linear1.weight": w[f"block{b}_widen_weight"].T,
            "linear1.bias": w[f"block{b}_widen_bias"],
            "linear2.weight": w[f"block{b}_narrow_weight"].T,
            "linear2.bias": w[f"block{b}_narrow_bias"],
            "norm1.weight": w[f"block{b}_norm1_gain"],
            "norm1.bias": w[f"block{b}_norm1_bias"],
            "norm2.weight": w[f"block{b}_norm2_gain"],
            "norm2.bias": w[f"block{b}_norm2_bias"],
        }
        layer.load_state_dict(theirs)
        values = layer(values)
    normed = nn.functional.layer_norm(values, (20,), w["norm_gain"], w["norm_bias"])
    expected = normed.flatten(1) @ w["output_weight"] + w["output_bias"]
    torch.testing.assert_close(module(x), expected, atol=2e-5, rtol=1e-5)


def test_it_trains(random_data: Dataset) -> None:
    cell = make_cell(random_data.info, RECIPE, n_train=20, model="micro_vit")
    cell_loss = []
    for result in engines.train(
        cell, make_members(RECIPE, [0]), random_data, engine="reference", epochs_evaluated=[1]
    ):
        assert isinstance(result, Trained)
        cell_loss = [e.train.loss for e in result.history]
    assert cell_loss[-1] < cell_loss[0]  # it learns twenty images of noise by heart


@pytest.mark.parametrize("width", [0.5, 0, float("nan")])
def test_a_width_that_it_has_not_is_refused(width: float) -> None:
    with pytest.raises(InputError, match="whole number"):
        MicroViT(width)
