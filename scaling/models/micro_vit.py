"""A vision transformer of the 1989 network's size: its sizes and initial weights. No torch.

Two transformer blocks over 8 patches of 8 x 4 pixels, 20 values a patch, and a classifier over all
patches. At width 1 it has 9,310 parameters (-4.6 %) and 63,040 MACs (-1.0 %). Only three
configurations are nearer in both counts, and they have a single block; the search covered whole
patches, up to six blocks, widths that are multiples of four and all usual heads.

Source: Dosovitskiy et al. 2020 (arXiv 2010.11929), with normalization before each part.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scaling.errors import InputError
from scaling.models.architecture import IMAGE_SIDE, N_CLASSES

NAME = "micro_vit"
VERSION = 1  # part of every identity: raise it when the model computes something else

PATCH_ROWS, PATCH_COLUMNS = 8, 4
PATCHES = (IMAGE_SIDE // PATCH_ROWS) * (IMAGE_SIDE // PATCH_COLUMNS)
PIXELS = PATCH_ROWS * PATCH_COLUMNS
BLOCKS, HEADS, VALUES, EXPANSION = 2, 4, 20, 2
INIT_TAG = 4  # separates the random stream of these weights from all others
POSITION_SD = 0.02  # as in the source


@dataclass(frozen=True, slots=True)
class MicroViT:
    """The transformer's sizes; `width`, an integer, multiplies the values of a patch."""

    width: float

    def __post_init__(self) -> None:
        if not (self.width >= 1 and float(self.width).is_integer()):
            raise InputError(f"width {self.width:g} of {NAME}: expected a whole number from 1")

    @property
    def values(self) -> int:
        return round(VALUES * self.width)

    @property
    def dropped_units(self) -> int:
        """Return the number of units that dropout may drop: the classifier's inputs."""
        return PATCHES * self.values

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of all parameters by name; a matrix is (inputs, outputs)."""
        d, wide = self.values, EXPANSION * self.values
        block = {
            "norm1_gain": (d,),
            "norm1_bias": (d,),
            "qkv_weight": (d, 3 * d),
            "qkv_bias": (3 * d,),
            "mix_weight": (d, d),
            "mix_bias": (d,),
            "norm2_gain": (d,),
            "norm2_bias": (d,),
            "widen_weight": (d, wide),
            "widen_bias": (wide,),
            "narrow_weight": (wide, d),
            "narrow_bias": (d,),
        }
        return {
            "patch_weight": (PIXELS, d),
            "patch_bias": (d,),
            "position": (PATCHES, d),
            **{f"block{b}_{name}": shape for b in range(BLOCKS) for name, shape in block.items()},
            "norm_gain": (d,),
            "norm_bias": (d,),
            "output_weight": (PATCHES * d, N_CLASSES),
            "output_bias": (N_CLASSES,),
        }

    @property
    def n_params(self) -> int:
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    @property
    def n_macs(self) -> int:
        """Return the MACs of one example's forward pass: all products, attention's two included."""
        matrices = sum(
            shape[0] * shape[1] * (1 if name == "output_weight" else PATCHES)
            for name, shape in self.shapes.items()
            if name.endswith("_weight")
        )
        return matrices + BLOCKS * 2 * PATCHES**2 * self.values

    def train_flop(self, examples_seen: int) -> int:
        """Return 6 FLOP per MAC and example, as for the 1989 network."""
        return 6 * self.n_macs * examples_seen


def initial_weights(architecture: MicroViT, seed: int) -> dict[str, NDArray[np.float32]]:
    """Return uniform matrices of variance 1 / fan_in, normal positions, gains 1 and biases 0.

    The variance is assumed: the paper states none, and in its code it depends on the layer.
    """
    rng = np.random.default_rng([INIT_TAG, seed])
    weights = {}
    for name, shape in architecture.shapes.items():
        values = np.full(shape, 1.0 if name.endswith("gain") else 0.0)
        if name.endswith("_weight"):
            values = rng.uniform(-1, 1, shape) * (3 / shape[0]) ** 0.5
        elif name == "position":
            values = rng.normal(0, POSITION_SD, shape)
        weights[name] = values.astype(np.float32)
    return weights
