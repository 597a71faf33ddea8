"""Write well-formed digits of a user's own, and inspect a file of them."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import strategies as st

from scaling.data.formats import inspect_npz

Arrays = dict[str, np.ndarray]
TO_SCALE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "uint8": lambda x: np.round(x * 255).astype(np.uint8),
    "floats to 255": lambda x: x * 255,
    "0 to 1": lambda x: x.astype(np.float32),
    "-1 to 1": lambda x: 2 * x - 1,
}


def digits(seed: int, n_train: int = 30, n_test: int = 20, side: int = 16) -> Arrays:
    """Draw light strokes on dark, slightly noisy paper, 0 to 1, with every class in both sets."""
    rng = np.random.default_rng(seed)
    made = {}
    for part, n in (("train", n_train), ("test", n_test)):
        x = rng.uniform(0, 0.1, (n, side, side))
        for image in x:
            row, column = rng.integers(1, side - 1, 2)
            image[1 : row + 1, column] = rng.uniform(0.85, 1)
            image[row, 1:-1] = rng.uniform(0.85, 1)
        made |= {f"x_{part}": x, f"y_{part}": np.arange(n) % 10}
    return made


def rescaled(arrays: Arrays, train: str, test: str | None = None) -> Arrays:
    to = {"x_train": TO_SCALE[train], "x_test": TO_SCALE[test or train]}
    return {name: to[name](x) if name in to else x for name, x in arrays.items()}


def inspect(arrays: Arrays) -> tuple[str, ...]:
    with TemporaryDirectory() as folder:
        np.savez(Path(folder) / "a.npz", **arrays)
        return inspect_npz(str(Path(folder) / "a.npz"))[1]


sizes = {
    "seed": st.integers(0, 10**6),
    "n_train": st.integers(10, 60),
    "n_test": st.integers(10, 40),
    "side": st.integers(8, 28),
}
scales = st.sampled_from(sorted(TO_SCALE))
