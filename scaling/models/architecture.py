"""The sizes and costs of the 1989 network's layers at any width. No torch.

Source: LeCun et al. 1989, "Backpropagation applied to handwritten zip code recognition", section 3.
The H2 connections, which the paper leaves open, are those of Karpathy 2022 (lecun1989-repro,
repro.py).
"""

from dataclasses import dataclass
from functools import cache

from scaling.errors import InputError
from scaling.recipes.recipe import Norm

MODEL = "lecun1989"
VERSION = 1  # part of every identity: raise it when the network computes something else

IMAGE_SIDE = 16
KERNEL, STRIDE, PADDING = 5, 2, 2
BACKGROUND = -1.0  # the padding around the image and the feature maps
N_CLASSES = 10
TWIST = 0.02  # assumed: the authors mention a small linear term of the tanh without its size


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer's exact size; each unit has `fan_in` inputs and its own bias."""

    name: str
    units: int
    fan_in: int
    weights: int  # shared weights count once
    gains: int = 0  # of a normalization

    @property
    def n_params(self) -> int:
        return self.weights + self.units + self.gains

    @property
    def connections(self) -> int:
        """Return the paper's count: every use of a weight, and every bias."""
        return self.units * (self.fan_in + 1)

    @property
    def macs(self) -> int:
        """Return the multiply-accumulates of one example's forward pass, without biases."""
        return self.units * self.fan_in


@dataclass(frozen=True, slots=True)
class Architecture:
    """The 1989 network with its planes and hidden units multiplied by `width` (a multiple of 1/2).

    A normalization has a gain for each plane of H1 and H2 and each unit of H3; weight normalization
    also has one for each output. The units' biases serve as its shifts.
    """

    width: float
    norm: Norm = "none"

    def __post_init__(self) -> None:
        if not (self.width > 0 and float(2 * self.width).is_integer()):
            raise InputError(
                f"width {self.width:g}: expected a positive multiple of 0.5, such as 1, 2 or 4"
            )

    @property
    def group(self) -> int:
        """Return the planes in each of H1's three groups; an H2 plane sees two of the groups."""
        return round(4 * self.width)

    @property
    def planes(self) -> int:
        return 3 * self.group

    @property
    def h3_units(self) -> int:
        return round(30 * self.width)

    @property
    def h2_side(self) -> int:
        return IMAGE_SIDE // STRIDE // STRIDE

    @property
    def h2_units(self) -> int:
        return self.planes * self.h2_side**2

    @property
    def dropped_units(self) -> int:
        """Return the number of units that dropout may drop: the inputs of H3."""
        return self.h2_units

    @property
    def layers(self) -> tuple[Layer, ...]:
        return _layers(self)

    @property
    def n_params(self) -> int:
        return sum(layer.n_params for layer in self.layers)

    @property
    def n_units(self) -> int:
        """Return the paper's count, which includes the 256 input pixels."""
        return IMAGE_SIDE**2 + sum(layer.units for layer in self.layers)

    @property
    def n_connections(self) -> int:
        return sum(layer.connections for layer in self.layers)

    @property
    def n_macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    def train_flop(self, examples_seen: int) -> int:
        """Return 6 FLOP per MAC and example: 2 forward, 4 backward, the field's convention.

        Source: Kaplan et al. 2020 (arXiv 2001.08361), section 2.1.
        """
        return 6 * self.n_macs * examples_seen


@cache
def _layers(shape: Architecture) -> tuple[Layer, ...]:
    """Return the layers of a shape; a large plan asks for each about ten times a cell."""
    taps, seen = KERNEL**2, 2 * shape.group
    normed = shape.norm != "none"
    return (
        Layer(
            name="H1",
            units=shape.planes * (IMAGE_SIDE // STRIDE) ** 2,
            fan_in=taps,
            weights=shape.planes * taps,
            gains=normed * shape.planes,
        ),
        Layer(
            name="H2",
            units=shape.h2_units,
            fan_in=taps * seen,
            weights=shape.planes * taps * seen,
            gains=normed * shape.planes,
        ),
        Layer(
            name="H3",
            units=shape.h3_units,
            fan_in=shape.h2_units,
            weights=shape.h2_units * shape.h3_units,
            gains=normed * shape.h3_units,
        ),
        Layer(
            name="output",
            units=N_CLASSES,
            fan_in=shape.h3_units,
            weights=shape.h3_units * N_CLASSES,
            gains=(shape.norm == "weight") * N_CLASSES,
        ),
    )
