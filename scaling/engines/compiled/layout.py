"""The position of each weight in the compiled engine's memory: one flat array, planes last.

A vector holds L neighbouring planes (or units), so the planes of a pixel or of a kernel's tap are
adjacent. The first group of H1's planes is repeated behind the last, so that the two groups that an
H2 plane sees are always neighbours and can be read with whole vectors.

Shapes: G planes of a group; C planes; S = 2G planes that an H2 plane sees; A = C + G planes of H1
with the repetition; P planes of H2 whose weights share a vector, each for V of the planes seen;
U2 units of H2; U3 units of H3 and U4 outputs, up to whole vectors.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scaling.models.architecture import KERNEL, N_CLASSES, PADDING, Architecture
from scaling.models.weights import Weights

Floats = NDArray[np.float32]
Positions = NDArray[np.int64]

LANES = 16  # AVX-512; narrower machines split a vector (measured: 32 lanes spill registers)
TAPS = KERNEL**2
H1_SIDE = 8
H2_SIDE = 4
INPUT_SIDE = 2 * H1_SIDE + 2 * PADDING  # of an image with its background
MAP_SIDE = H1_SIDE + 2 * PADDING  # of an H1 plane with its background


@dataclass(frozen=True)
class Layout:
    """The sizes and positions of all weights at an integer width."""

    width: int

    @property
    def P(self) -> int:  # noqa: N802
        return 1 if self.S % LANES == 0 else 2

    @property
    def V(self) -> int:  # noqa: N802
        return LANES // self.P

    @property
    def G(self) -> int:  # noqa: N802  shape letters
        return 4 * self.width

    @property
    def C(self) -> int:  # noqa: N802
        return 3 * self.G

    @property
    def S(self) -> int:  # noqa: N802
        return 2 * self.G

    @property
    def A(self) -> int:  # noqa: N802
        return self.C + self.G

    @property
    def U2(self) -> int:  # noqa: N802
        return self.C * H2_SIDE**2

    @property
    def h3_units(self) -> int:
        return Architecture(self.width).h3_units

    @property
    def U3(self) -> int:  # noqa: N802
        return self._whole_vectors(self.h3_units)

    @property
    def U4(self) -> int:  # noqa: N802
        return self._whole_vectors(N_CLASSES)

    @cached_property
    def offsets(self) -> dict[str, int]:
        """Return the beginning of each block of weights; "end" is the total size."""
        sizes = {
            "h1_weight": TAPS * self.A,
            "h1_bias": H1_SIDE**2 * self.A,
            "h2_weight": self.C * TAPS * self.S,
            "h2_bias": self.U2,
            "h3_weight": self.h3_units * self.U2,
            "h3_bias": self.U3,
            "output_weight": N_CLASSES * self.U3,
            "output_bias": self.U4,
        }
        starts = np.cumsum([0, *sizes.values()])
        return {name: int(at) for name, at in zip([*sizes, "end"], starts, strict=True)}

    @cached_property
    def positions(self) -> dict[str, Positions]:
        """Return every weight's index, in the names and shapes of `Weights`.

        `pack` and `unpack` share this table, so that they cannot disagree.
        """
        at, seen, units = self.offsets, np.arange(self.S), self.h3_units
        plane, tap = np.arange(self.C)[:, None], np.arange(TAPS)
        # H2's groups see H1's groups (0, 1), (1, 2), (0, 2); the last pair is stored as (2, 0).
        last = plane[:, :, None] >= 2 * self.G
        place = np.where(last, (seen + self.G) % self.S, seen)
        place = place.transpose(0, 2, 1)  # (C, S, 1)
        kernel = (plane // self.P)[:, :, None] * TAPS + tap
        within = place // self.V * LANES + plane[:, :, None] % self.P * self.V + place % self.V
        flat = {
            "h1_weight": tap * self.A + plane,
            "h1_bias": np.arange(H1_SIDE**2) * self.A + plane,
            "h2_weight": kernel * self.S * self.P + within,
            "h2_bias": np.arange(self.U2),
            "h3_weight": np.arange(units) * self.U2 + np.arange(self.U2)[:, None],
            "h3_bias": np.arange(units),
            "output_weight": np.arange(N_CLASSES) * self.U3 + np.arange(units)[:, None],
            "output_bias": np.arange(N_CLASSES),
        }
        shapes = {
            "h1_weight": (self.C, 1, KERNEL, KERNEL),
            "h1_bias": (self.C, H1_SIDE, H1_SIDE),
            "h2_weight": (self.C, self.S, KERNEL, KERNEL),
            "h2_bias": (self.C, H2_SIDE, H2_SIDE),
        }
        return {
            name: (at[name] + index).reshape(shapes.get(name, index.shape))
            for name, index in flat.items()
        }

    def pack(self, weights: Weights) -> Floats:
        """Return all weights in one array (offsets["end"],); its padding is 0 and stays so."""
        params = aligned_zeros(self.offsets["end"])
        for name, values in weights.items():
            params[self.positions[name]] = values
        return params

    def unpack(self, params: Floats) -> Weights:
        """Return copies of packed weights in the reference's names and shapes."""
        return {name: params[index] for name, index in self.positions.items()}

    def _whole_vectors(self, n: int) -> int:
        return -(-n // LANES) * LANES


def aligned_zeros(n: int) -> Floats:
    """Return zeros that begin at a cache line, so that no vector of 16 straddles two."""
    line, size = 64, 4
    padded = np.zeros(n + line // size, np.float32)
    start = -padded.ctypes.data % line // size
    return padded[start : start + n]
