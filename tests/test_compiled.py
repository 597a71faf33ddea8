"""The compiled engine: the same model as autograd gives, weight by weight, and said when not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  everybody's name for it

from scaling import engines
from scaling.architecture import Architecture
from scaling.curvature import DAMPING, curvature
from scaling.data import Dataset, Examples, select, shift_images
from scaling.engines import NumericFailure, Trained, compiled
from scaling.engines.compiled.layout import Layout
from scaling.engines.compiled.ready import _File
from scaling.errors import InputError
from scaling.ladder import LADDER
from scaling.model import Network
from scaling.presentation import present
from scaling.randomness import keep_mask, presentation_keys, shifts
from scaling.recipe import Recipe
from scaling.recipes import find_recipe
from scaling.study import Cell, Member, make_cell, make_members
from scaling.weights import Weights, initial_weights

STEPS, EPOCHS = 300, 3  # the schedule moves, and the counting of presentations goes on


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """A second thread waits for its core in a busy loop: a hundred times slower beside others."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def recipe(name: str, **change: object) -> Recipe:
    return replace(find_recipe(name), epochs=EPOCHS, **change)  # type: ignore[arg-type]


def train(data: Dataset, cell: Cell, engine: str, *seeds: int) -> list[Trained]:
    members = make_members(cell.recipe, seeds or (0,))
    results = list(engines.train(cell, members, data, engine=engine, epochs_evaluated=[1, 2]))
    assert all(isinstance(result, Trained) for result in results)
    return results  # type: ignore[return-value]


def in_double_precision(
    data: Dataset, cell: Cell, member: Member, rate_scales: Weights | None = None
) -> Weights:
    """An independent loop over the same draws: autograd and PyTorch's optimizers in float64."""
    how = cell.recipe
    examples = select(data, n_train=cell.n_train, n_test=1, split="none", seed=member.seed).train
    start = initial_weights(cell.architecture, how, member.seed)
    network = Network(cell.architecture, how, start).double()
    averaged = Network(cell.architecture, how, start).double()
    optimizer: torch.optim.Optimizer = torch.optim.SGD(
        network.parameters(), lr=member.lr, momentum=how.momentum
    )
    if how.optimizer == "adamw":
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=member.lr, weight_decay=member.weight_decay
        )
    for epoch in range(how.epochs):
        if how.optimizer == "sdlm":
            diagonal = curvature(network, torch.from_numpy(examples.first(300).x).double())
            rate_scales = {name: (1 / (DAMPING + h)).numpy() for name, h in diagonal.items()}
        optimizer.param_groups[0]["lr"] = member.lr * how.lr_factor(epoch)
        keys = presentation_keys(member.seed, epoch * len(examples), len(examples))
        shown = present(examples, how, keys)
        x = torch.from_numpy(
            shift_images(shown.x, *shifts(keys, how.shift), how.shift_fill)
        ).double()
        share = torch.from_numpy(shown.share).double()[:, None]
        target = F.one_hot(torch.from_numpy(shown.y).long(), 10) * share
        target = target + F.one_hot(torch.from_numpy(shown.other).long(), 10) * (1 - share)
        target = target * (1 - how.label_smoothing) + how.label_smoothing / 10
        keep = torch.from_numpy(keep_mask(keys, cell.architecture.h2_units, how.dropout))
        for i in range(len(examples)):
            optimizer.zero_grad()
            z = network(x[i : i + 1], keep[i : i + 1].double() / (1 - how.dropout))
            if how.loss == "cross_entropy":
                F.cross_entropy(z, target[i : i + 1]).backward()
            else:
                F.mse_loss(z, target[i : i + 1] * 2 - 1).backward()
            for name, value in network.named_parameters():
                if rate_scales:
                    value.grad *= torch.from_numpy(rate_scales[name])
                if how.trainable == "output" and not name.startswith("output"):
                    value.grad = None
            optimizer.step()
            with torch.no_grad():
                for name, value in averaged.named_parameters():
                    value.mul_(how.ema).add_((1 - how.ema) * network.get_parameter(name))
    return {name: value.detach().numpy() for name, value in averaged.named_parameters()}


def distances(weights: Weights, exact: Weights) -> np.ndarray:
    return np.concatenate([np.abs(weights[name] - exact[name]).ravel() for name in exact])


def assert_agrees(data: Dataset, how: Recipe, width: float = 1.0) -> None:
    """The compiled engine is as near to double precision as float32 autograd is.

    A weight whose gradient nearly vanishes makes AdamW divide rounding by rounding, whoever does
    it; so the worst weight is judged by autograd's worst, and all but one in 1,000 by 2e-6.

    Rates fall with the width, or training is chaos and nothing agrees with anything. A ReLU whose
    input is 0 up to rounding may go either way, so wide networks that have it make fewer steps:
    as many such inputs as there are at width 1.
    """
    steps = int(STEPS / width) if how.activation == "relu" else STEPS
    how = replace(how, lr=how.lr / width)
    cell = make_cell(data.info, how, n_train=steps // EPOCHS, width=width)
    (fast,), (autograd,) = (train(data, cell, engine) for engine in ("compiled", "reference"))
    assert (fast.engine, autograd.engine) == ("compiled", "reference")
    exact = in_double_precision(data, cell, fast.member)
    error, allowed = distances(fast.weights, exact), distances(autograd.weights, exact)
    assert np.quantile(error, 0.999) < 2e-6
    assert error.max() < max(2e-6, 4 * allowed.max())
    for ours, theirs in zip(fast.history, autograd.history, strict=True):
        assert ours.test.misses == theirs.test.misses
        assert ours.train.loss == pytest.approx(theirs.train.loss, rel=1e-5)
        assert ours.test.loss == pytest.approx(theirs.test.loss, rel=1e-5)
    assert (fast.predicted == autograd.predicted).all()
    assert (fast.correct == autograd.correct).all()
    assert {k: v.shape for k, v in fast.weights.items()} == {k: v.shape for k, v in exact.items()}


# Three compilations serve these: whatever can be is a run-time value.
VARIANTS = {
    "1989": recipe("1989"),
    "ce": recipe("ce"),
    "linear outputs, squared error": recipe("1989", output="linear", lr_end=0.1),
    "tanh outputs, cross-entropy": recipe("ce", output="tanh"),
    "1989 with shift and dropout": recipe("1989", shift=2, dropout=0.5),
    "adamw": recipe("adamw"),
    "augment": recipe("augment"),
    "tanh with dropout": recipe("augment", dropout=0.3, weight_decay=0.3),
    "dropout_relu": recipe("dropout_relu"),
}


@pytest.mark.parametrize("how", VARIANTS.values(), ids=VARIANTS)
def test_weights_are_those_of_autograd(random_data: Dataset, how: Recipe) -> None:
    assert_agrees(random_data, how)


NEIGHBOURS = {
    "gelu, momentum": recipe("1989", activation="gelu", momentum=0.9, lr=0.005),
    "cosine": recipe("1989", schedule="cosine", lr_end=0.1),
    "constant": recipe("1989", schedule="constant", lr_end=0.1),
    "label smoothing": recipe("1989", label_smoothing=0.2),
    "label smoothing, cross-entropy": recipe("ce", label_smoothing=0.2),
    "averaged weights": recipe("1989", ema=0.98),
    "shift in from the background": recipe("1989", shift=3, shift_fill="background"),
    "warm-up": recipe("1989", warmup=2),
    "mixup": recipe("1989", mixup=0.4),
    "mixup, cross-entropy": recipe("ce", mixup=0.4, label_smoothing=0.1),
    "elastic": recipe("1989", elastic=0.8),
    "outputs alone": recipe("augment", trainable="output"),
    "twisted tanh": recipe("1989", activation="twisted_tanh", output="twisted_tanh"),
    "second order": recipe("1989", optimizer="sdlm", lr=3e-4),
}
SLOW_NEIGHBOURS = {
    "momentum": recipe("1989", momentum=0.9, lr=0.005),
    "gelu": recipe("modern", activation="gelu"),
    "scaled tanh": recipe("1989", activation="scaled_tanh"),
    "scaled tanh, adamw": recipe("modern", activation="scaled_tanh"),
    "everything": recipe(
        "modern",
        activation="gelu",
        schedule="cosine",
        label_smoothing=0.1,
        ema=0.95,
        shift=2,
        shift_fill="background",
    ),
}


@pytest.mark.parametrize("how", NEIGHBOURS.values(), ids=NEIGHBOURS)
def test_the_ladders_neighbours_are_those_of_autograd(random_data: Dataset, how: Recipe) -> None:
    assert_agrees(random_data, how)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("how", SLOW_NEIGHBOURS.values(), ids=SLOW_NEIGHBOURS)
def test_more_neighbours_are_those_of_autograd(
    random_data: Dataset, how: Recipe, width: float
) -> None:
    assert_agrees(random_data, how, width)


def test_every_weight_may_have_a_rate_of_its_own(random_data: Dataset) -> None:
    """As the paper's diagonal second-order method needs; here with scaled tanh, as there."""
    from scaling.engines.compiled.engine import CompiledModel

    how = recipe("1989", activation="scaled_tanh", lr=0.02)
    cell = make_cell(random_data.info, how, n_train=STEPS // EPOCHS)
    (member,) = make_members(how, [0])
    rng = np.random.default_rng(0)
    start = initial_weights(cell.architecture, how, 0)
    scales = {k: rng.uniform(0.2, 1.5, v.shape).astype(np.float32) for k, v in start.items()}
    examples = select(random_data, n_train=cell.n_train, n_test=1, split="none", seed=0).train
    model = CompiledModel(cell, member, examples, rate_scales=scales)
    for epoch in range(1, EPOCHS + 1):
        assert model.train_epoch(epoch) is None
    exact = in_double_precision(random_data, cell, member, scales)
    assert np.quantile(distances(model.weights(), exact), 0.999) < 2e-6


def test_weights_are_those_of_autograd_in_vectors_of_16(random_data: Dataset) -> None:
    assert_agrees(random_data, recipe("modern"), width=2.0)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1.0, 2.0, 3.0, 4.0, 8.0])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_weights_are_those_of_autograd_at_every_width(
    random_data: Dataset, activation: str, optimizer: str, width: float
) -> None:
    base = recipe("1989" if optimizer == "sgd" else "modern", activation=activation)
    assert_agrees(random_data, base, width)
    assert_agrees(random_data, replace(base, shift=1, dropout=0.25), width)


def test_a_result_does_not_depend_on_what_ran_before(random_data: Dataset) -> None:
    cell = make_cell(random_data.info, recipe("modern"), n_train=60)
    (alone,) = train(random_data, cell, "compiled", 3)
    beside = train(random_data, cell, "compiled", 1, 3)[1]
    assert all((alone.weights[name] == beside.weights[name]).all() for name in alone.weights)
    assert [e.test for e in alone.history] == [e.test for e in beside.history]


@pytest.mark.parametrize("width", [1, 2, 3, 4, 8])
def test_weights_come_back_as_they_went_in(width: int) -> None:
    weights = initial_weights(Architecture(float(width)), find_recipe("1989"), 0)
    layout = Layout(width)
    back = layout.unpack(layout.pack(weights))
    assert all((back[name] == weights[name]).all() for name in weights)
    places = np.concatenate([index.ravel() for index in layout.positions.values()])
    assert len(np.unique(places)) == len(places) == Architecture(float(width)).n_params
    assert places.max() < layout.offsets["end"]
    assert 8 * width % layout.V == 0, "a vector must not reach into the next tap"


@pytest.mark.parametrize("lr", [1e4, 1e38])
def test_a_rate_that_explodes_is_named_with_its_step(random_data: Dataset, lr: float) -> None:
    how = recipe("1989", lr=lr, output="linear")
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
    engines._say_once.cache_clear()
    for result in engines.train(cell, members, random_data, epochs_evaluated=[1]):
        assert isinstance(result, Trained)
        assert result.engine == engine
    assert "slower: numba cannot be used: not today" in capsys.readouterr().err
    with pytest.raises(InputError, match="not today; use --engine population or reference"):
        engines.choose(cell, "compiled")


SCRIPT = """
import sys, time
import numpy as np
import scaling.engines.compiled.engine
from dataclasses import replace
from scaling import engines
from scaling.data import Dataset, DatasetInfo
from scaling.recipes import find_recipe
from scaling.study import make_cell, make_members

rng = np.random.default_rng(1)
info = DatasetInfo(name="noise", version="1", n_train=500, n_test=200, n_val=100)
data = Dataset(
    info=info,
    x_train=rng.uniform(-1, 1, (500, 16, 16)).astype(np.float32),
    y_train=rng.integers(0, 10, 500).astype(np.uint8),
    x_test=rng.uniform(-1, 1, (200, 16, 16)).astype(np.float32),
    y_test=rng.integers(0, 10, 200).astype(np.uint8),
)
cell = make_cell(info, replace(find_recipe(sys.argv[1]), epochs=3), n_train=100)
start = time.perf_counter()
(result,) = engines.train(
    cell, make_members(cell.recipe, [0]), data, engine="compiled", epochs_evaluated=[3]
)
print(time.perf_counter() - start, "torch" in sys.modules)
np.savez(sys.argv[2], **result.weights)
"""


def in_a_process(tmp_path: Path, name: str, **environment: str) -> tuple[str, str, Weights]:
    """What a process of its own says on stdout and stderr, and the weights that it trained."""
    path = tmp_path / "weights.npz"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, name, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return done.stdout, done.stderr, dict(np.load(path))


def test_a_second_process_compiles_nothing_and_gives_the_same_bits(
    random_data: Dataset, tmp_path: Path
) -> None:
    cell = make_cell(random_data.info, recipe("1989"), n_train=100)
    (here,) = train(random_data, cell, "compiled")
    out, err, there = in_a_process(tmp_path, "1989")
    seconds, torch_was_imported = out.split()
    assert err == ""
    assert float(seconds) < 2  # 0.3 where nothing else runs
    assert torch_was_imported == "False"
    assert all((here.weights[name] == there[name]).all() for name in there)


@pytest.mark.slow
@pytest.mark.parametrize("cpu", ["x86-64-v3", "x86-64"])
@pytest.mark.parametrize("name", ["1989", "modern"])
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="names of x86 processors")
def test_narrower_processors_give_the_same_model(
    random_data: Dataset, tmp_path: Path, cpu: str, name: str
) -> None:
    """AVX2 and SSE2: the same source in narrower vectors."""
    cell = make_cell(random_data.info, recipe(name), n_train=100)
    (here,) = train(random_data, cell, "reference")
    _, err, there = in_a_process(tmp_path, name, NUMBA_CPU_NAME=cpu)
    assert "compiling" in err, "another processor's machine code was loaded"
    assert max(np.abs(here.weights[name] - there[name]).max() for name in there) < 2e-5


def test_a_damaged_kernel_is_compiled_again(tmp_path: Path) -> None:
    import numba

    def compiled_in(folder: Path) -> tuple[float, int]:
        function = numba.njit(lambda x: x + 1)
        function._cache = _File(folder / "kernel.bin")
        function.compile((numba.float64,))
        return function(1.0), sum(function.stats.cache_hits.values())

    assert compiled_in(tmp_path) == (2.0, 0)
    assert compiled_in(tmp_path) == (2.0, 1)
    path = tmp_path / "kernel.bin"
    path.write_bytes(path.read_bytes()[:-1])
    assert compiled_in(tmp_path) == (2.0, 0)
    assert compiled_in(tmp_path) == (2.0, 1)
    assert [file.name for file in tmp_path.iterdir()] == ["kernel.bin"]


def test_every_recipe_of_the_ladder_is_compiled(random_data: Dataset) -> None:
    for name, width in product(LADDER, (1, 2, 4, 8)):
        cell = make_cell(random_data.info, find_recipe(name), n_train=60, width=width)
        assert compiled.supports(cell, "cpu") is None


def test_scores_are_those_of_the_reference(random_data: Dataset) -> None:
    """On the same weights, for an odd number of images, at saturated and at ordinary outputs."""
    from scaling.engines.compiled.engine import CompiledModel
    from scaling.engines.reference import evaluate, predict

    test = select(random_data, n_train=1, n_test=197, split="none", seed=0).test
    for how in (recipe("1989"), recipe("ce"), recipe("1989", output="linear")):
        cell = make_cell(random_data.info, how, n_train=60)
        (member,) = make_members(how, [0])
        model = CompiledModel(cell, member, Examples(x=test.x, y=test.y))
        for scale in (1, 5):
            start = initial_weights(cell.architecture, how, 0)
            start["output_weight"] *= scale
            model.load(start)
            network = Network(cell.architecture, how, start)
            ours, theirs = model.score(test), evaluate(network, test, how)
            assert (ours.misses, ours.n) == (theirs.misses, theirs.n)
            assert ours.loss == pytest.approx(theirs.loss, rel=1e-6)
            assert (model.predict(test) == predict(network, test)).all()


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("1989", 1.0),
        pytest.param("modern", 2.0, marks=pytest.mark.slow),
        pytest.param("modern", 3.0, marks=pytest.mark.slow),
        pytest.param("modern", 4.0, marks=pytest.mark.slow),
    ],
)
def test_no_index_leaves_its_array(random_data: Dataset, name: str, width: float) -> None:
    """Every load and store of a step and of an evaluation, checked."""
    from scaling.engines.compiled.engine import CompiledModel

    how = recipe(name, shift=3, dropout=0.5)
    cell = make_cell(random_data.info, how, n_train=20, width=width)
    (member,) = make_members(how, [0])
    examples = select(random_data, n_train=20, n_test=5, split="none", seed=0).train
    checked, fast = (
        CompiledModel(cell, member, examples, checked=checked) for checked in (True, False)
    )
    for model in (checked, fast):
        assert model.train_epoch(1) is None
    for name, values in checked.weights().items():
        np.testing.assert_allclose(values, fast.weights()[name], atol=1e-5)
    assert checked.score(examples).misses == fast.score(examples).misses
    layout = Layout(int(width))
    padding = np.setdiff1d(
        np.arange(layout.offsets["end"]),
        np.concatenate([index.ravel() for index in layout.positions.values()]),
    )
    assert (fast._params[padding] == 0).all()


@pytest.mark.parametrize(
    ("code", "first_bad"),
    [
        ("store(array, i, load(array, 0))", 9),
        ("store(array, 0, load(array, i))", 9),
        ("store(array, 0, broadcast(array, i))", 16),
        ("store(array, 0, tile(4)[i])", 4),
    ],
)
def test_the_checked_mode_refuses_what_lies_outside(code: str, first_bad: int) -> None:
    import numba

    from scaling.engines.compiled.vectors import vector_ops

    ops = vector_ops(8, checked=True)
    names = {name: getattr(ops, name) for name in ("load", "store", "broadcast", "tile")}
    exec(f"def touch(array, i): {code}", names)
    touch = numba.njit(names["touch"])
    array = np.arange(16, dtype=np.float32)
    touch(array, first_bad - 1)
    for i in (first_bad, first_bad + 1000, -1):
        with pytest.raises(IndexError):
            touch(array, i)
