"""Test the compiled engine's coverage of recipes, its messages, and its files on disk."""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from lockstep import recipe, train

from scaling import engines
from scaling.data.selection import Dataset
from scaling.engines import NumericFailure, Trained, compiled
from scaling.engines.compiled.native import Processor
from scaling.engines.compiled.registers import sums_at_once
from scaling.errors import InputError
from scaling.models.weights import Weights
from scaling.recipes.ladder import LADDER
from scaling.recipes.registry import find_recipe
from scaling.study import make_cell, make_members

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("lr", [1e4, 1e38])
def test_a_rate_that_explodes_is_named_with_its_step(random_data: Dataset, lr: float) -> None:
    how = recipe("1989", lr=lr, output="linear", epochs=3)
    cell = make_cell(random_data.info, how, n_train=60)
    for engine in ("compiled", "reference"):
        (result,) = engines.train(
            cell, make_members(how, [0]), random_data, engine=engine, epochs_evaluated=[3]
        )
        assert isinstance(result, NumericFailure)
        assert "epoch 1 of 3" in result.error
        assert engine == "reference" or "step " in result.error


def test_the_rule_is_the_fastest_that_can(random_data: Dataset) -> None:
    cell = make_cell(random_data.info, find_recipe("1989"), n_train=60)
    assert engines.choose(cell) == "compiled"
    assert engines.choose(cell, "reference") == "reference"
    for other, device, reason in (
        (replace(cell, recipe=replace(cell.recipe, batch_size=8)), "cpu", "batch size is 8"),
        (replace(cell, width=0.5), "cpu", "whole width"),
        (cell, "cuda", "not on cuda"),
    ):
        assert engines.choose(other, device=device) == "population"
        with pytest.raises(InputError, match=f"{reason}.*; use --engine population or reference"):
            engines.choose(other, "compiled", device)


@pytest.mark.parametrize(("models", "engine"), [(1, "reference"), (2, "population")])
def test_without_numba_another_engine_trains_and_says_so(
    models: int,
    engine: str,
    random_data: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(compiled, "unavailable", lambda: "numba cannot be used: not today")
    cell = make_cell(random_data.info, replace(find_recipe("1989"), epochs=1), n_train=5)
    members = make_members(cell.recipe, range(models))
    engines._warn_once.cache_clear()
    for result in engines.train(cell, members, random_data, epochs_evaluated=[1]):
        assert isinstance(result, Trained)
        assert result.engine == engine
    assert "slower: numba cannot be used: not today" in capsys.readouterr().err
    with pytest.raises(InputError, match="not today; use --engine population or reference"):
        engines.choose(cell, "compiled")


SCRIPT = """
import sys
import numpy as np
from dataclasses import replace
from scaling import engines
from scaling.check.cases import noise
from scaling.recipes.registry import find_recipe
from scaling.study import make_cell, make_members

data = noise()
how = replace(find_recipe(sys.argv[1]), epochs=3)
cell = make_cell(data.info, how, n_train=100, width=int(sys.argv[3]))
(result,) = engines.train(
    cell, make_members(cell.recipe, [0]), data, engine="compiled", epochs_evaluated=[3]
)
print("torch" in sys.modules)
np.savez(sys.argv[2], **result.weights)
"""


def in_a_process(
    tmp_path: Path, name: str, width: int = 1, **environment: str
) -> tuple[str, str, Weights]:
    """Return stdout and stderr of a process of its own, and the weights that it trained."""
    path = tmp_path / "weights.npz"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, name, str(path), str(width)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return done.stdout, done.stderr, dict(np.load(path))


def test_a_second_process_compiles_nothing_and_gives_the_same_bits(
    random_data: Dataset, tmp_path: Path
) -> None:
    cell = make_cell(random_data.info, recipe("1989", epochs=3), n_train=100)
    (here,) = train(random_data, cell, make_members(cell.recipe, [0]), "compiled")
    out, err, there = in_a_process(tmp_path, "1989")
    assert err == "", "something was compiled"
    assert out.split() == ["False"], "torch was imported"
    assert all((here.weights[name] == there[name]).all() for name in there)


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("1989", 1),
        *(
            pytest.param(name, width, marks=pytest.mark.slow)
            for name, width in [
                ("1989", 2),
                ("modern", 1),
                ("dropout_relu", 2),
                ("second_order", 1),
            ]
        ),
    ],
)
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="names of x86 processors")
def test_processors_that_fuse_multiply_adds_give_the_same_bits(
    tmp_path: Path, name: str, width: int
) -> None:
    """AVX2, whose tiles are smaller, beside this machine, which may have AVX-512."""
    _, _, here = in_a_process(tmp_path, name, width)
    _, _, there = in_a_process(tmp_path, name, width, NUMBA_CPU_NAME="x86-64-v3")
    assert all((here[weights] == there[weights]).all() for weights in here)


@pytest.mark.parametrize(
    ("cpu", "sums"), [("skylake-avx512", 16), ("x86-64-v4", 16), ("znver3", 4), ("x86-64", 4)]
)
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="names of x86 processors")
def test_a_tile_fills_half_of_the_registers(cpu: str, sums: int) -> None:
    triple = Processor.here().triple
    assert sums_at_once(Processor(triple=triple, name=cpu, features="")) == sums


@pytest.mark.slow
@pytest.mark.parametrize("cpu", ["x86-64-v3", "x86-64"])
@pytest.mark.parametrize("name", ["1989", "modern"])
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="names of x86 processors")
def test_narrower_processors_give_the_same_model(
    random_data: Dataset, tmp_path: Path, cpu: str, name: str
) -> None:
    """AVX2 and SSE2, which fuses nothing: the same source in narrower vectors."""
    cell = make_cell(random_data.info, recipe(name, epochs=3), n_train=100)
    (here,) = train(random_data, cell, make_members(cell.recipe, [0]), "reference")
    cache = str(tmp_path / "cache")
    in_a_process(tmp_path, name, SCALING_CACHE_DIR=cache)
    _, err, there = in_a_process(tmp_path, name, NUMBA_CPU_NAME=cpu, SCALING_CACHE_DIR=cache)
    assert "compiling" in err, "another processor's machine code was loaded"
    assert max(np.abs(here.weights[name] - there[name]).max() for name in there) < 2e-5


def test_every_recipe_of_the_ladder_is_compiled(random_data: Dataset) -> None:
    for name, width in product(LADDER, (1, 2, 4, 8)):
        cell = make_cell(random_data.info, find_recipe(name), n_train=60, width=width)
        assert compiled.supports(cell, "cpu") is None
