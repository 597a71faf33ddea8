"""The benchmark: it counts and trains what it says, and its rows hold together. Nothing is timed.

Microseconds are asked for their type and their order only: any machine may be slow today.
"""

import json
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from jobs.cli import bench as command
from jobs.cli.main import main
from scaling import engines
from scaling.bench import processes, rounds, steps, together
from scaling.bench.floor import fastest_fma, step_flop
from scaling.bench.fma import FACTOR, LANES, TERM, make_fma
from scaling.bench.plain import PlainLoop, PlainNetwork
from scaling.bench.rounds import Contender, ratio, run_interleaved
from scaling.bench.steps import Effort, one_thread
from scaling.data.counter_rng import keep_mask, presentation_keys, shifts
from scaling.data.selection import Dataset, select
from scaling.engines import Trained, compiled
from scaling.models.architecture import Architecture
from scaling.models.weights import Weights, initial_weights
from scaling.recipes.recipe import Recipe
from scaling.recipes.registry import find_recipe
from scaling.store.digest import open_json
from scaling.study import make_cell, make_members

CONTRACT = [
    "engine",
    "recipe",
    "width",
    "us",
    "us_range",
    "loop_us",
    "ratio",
    "floor_us",
    "floor_ratio",
]
STEPS = 60


def test_the_flop_of_a_step_are_counted_layer_by_layer() -> None:
    """MACs of each layer by hand, from the paper: forward, weight gradient, input gradient."""
    forward = {"H1": 8 * 8 * 12 * 25, "H2": 4 * 4 * 12 * 200, "H3": 192 * 30, "output": 30 * 10}
    macs = 2 * sum(forward.values()) + sum(forward.values()) - forward["H1"]
    assert 2 * macs == 343_560
    one = Architecture(1.0)
    assert step_flop(one, find_recipe("1989")) == 343_560 + 19_520
    assert step_flop(one, find_recipe("modern")) == 343_560 + 14 * 9_760
    for width in (2.0, 4.0, 8.0):
        wide = Architecture(width)
        sgd = step_flop(wide, find_recipe("1989"))
        assert sgd == 2 * (3 * wide.n_macs - 64 * 12 * width * 25) + 2 * wide.n_params


class Replayed(PlainNetwork):
    """The plain network with the project's own random draws, in order, in place of PyTorch's."""

    def __init__(self, recipe: Recipe, weights: Weights, seed: int, steps: int) -> None:
        super().__init__(recipe, weights)
        keys = presentation_keys(seed, 0, steps)
        self.shifts = zip(*shifts(keys, recipe.shift), strict=True)
        self.masks = iter(keep_mask(keys, self.h3_weight.shape[0], recipe.dropout))

    def shift(self, x: torch.Tensor) -> torch.Tensor:
        rows, columns = next(self.shifts)
        return torch.roll(x, (int(rows), int(columns)), (2, 3))

    def drop_out(self, x: torch.Tensor) -> torch.Tensor:
        keep = torch.from_numpy(next(self.masks)).float().reshape(x.shape)
        return x * keep / (1 - self.recipe.dropout)


@pytest.mark.parametrize("name", ["1989", "dropout_relu"])
@pytest.mark.parametrize("width", [1.0, 2.0])
def test_the_plain_loop_trains_what_the_reference_trains(
    random_data: Dataset, name: str, width: float
) -> None:
    recipe = replace(find_recipe(name), epochs=1)
    cell = make_cell(random_data.info, recipe, n_train=STEPS, width=width)
    (member,) = make_members(recipe, [3])
    (theirs,) = engines.train(cell, [member], random_data, engine="reference", epochs_evaluated=[1])
    assert isinstance(theirs, Trained)

    start = initial_weights(cell.architecture, recipe, member.seed)
    chosen = select(random_data, n_train=STEPS, n_test=1, split="none", seed=member.seed)
    network = Replayed(recipe, start, member.seed, STEPS)
    with one_thread():
        PlainLoop(network, chosen.train).train_epoch()
    ours = {key: value.detach().numpy() for key, value in network.named_parameters()}

    assert ours.keys() == theirs.weights.keys()
    for key, weights in theirs.weights.items():
        assert np.abs(weights - start[key]).max() > 1e-3, "nothing was trained"
        error = np.abs(ours[key] - weights)
        assert np.quantile(error, 0.99) < 2e-6, key
        # AdamW divides rounding by rounding where a gradient vanishes, whoever does it.
        assert error.max() < (2e-6 if recipe.optimizer == "sgd" else 1e-4), key


def test_the_plain_networks_own_draws_are_those_of_the_recipe() -> None:
    recipe = find_recipe("dropout_relu")
    network = PlainNetwork(recipe, initial_weights(Architecture(1.0), recipe, 0)).train()
    x = torch.arange(256.0).reshape(1, 1, 16, 16)
    corners = {float(network.shift(x)[0, 0, 5, 5]) for _ in range(200)}
    assert corners == {float(x[0, 0, 5 + i, 5 + j]) for i in (-1, 0, 1) for j in (-1, 0, 1)}
    torch.manual_seed(0)
    kept = network.drop_out(torch.ones(1, 10_000))
    assert kept.unique().tolist() == pytest.approx([0, 4 / 3])
    assert float(kept.mean()) == pytest.approx(1, abs=0.03)


def test_the_floors_loop_does_every_multiply_add_that_it_counts() -> None:
    values = np.linspace(0, 2, 3 * LANES, dtype=np.float32)
    expected = values.astype(np.float64)
    make_fma(3)(values, 1000)
    for _ in range(1000):
        expected = expected * float(FACTOR) + float(TERM)
    assert values == pytest.approx(expected, rel=1e-4)
    assert len(np.unique(values)) > 3 * LANES // 2, "vectors that are equal are computed once"
    run = fastest_fma()
    assert 1e6 <= run(1e6) < 1.01e6


def test_every_contender_runs_once_a_round_and_none_always_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, ran = [0.0], ""
    monkeypatch.setattr(rounds, "process_time", lambda: clock[0])

    def runs(name: str, seconds: float) -> Contender:
        def run() -> None:
            nonlocal ran
            ran += name
            clock[0] += seconds

        return Contender(name=name, run=run, examples=10)

    ends: list[str] = []
    us = run_interleaved([runs("a", 1), runs("b", 2), runs("c", 4)], 3, lambda: ends.append(ran))
    assert ends == ["abc", "abcbca", "abcbcacab"]
    assert us == {"a": [1e5] * 3, "b": [2e5] * 3, "c": [4e5] * 3}


def test_the_ratio_is_taken_within_rounds() -> None:
    """A machine that is half as fast for one round changes no ratio."""
    assert ratio([10, 20, 10], [1, 2, 1]) == 10
    assert ratio([10, 30, 90], [1, 2, 1]) == 15 != statistics.median([10, 30, 90]) / 1


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Effort:
    """Run a benchmark of a few seconds."""
    effort = Effort(
        widths=(1,),
        rounds=3,
        loop_s=1e-3,
        engine_s=1e-3,
        evaluation_s=1e-3,
        floor_s=1e-4,
        members=(3,),
    )
    monkeypatch.setattr(command, "effort", lambda: effort)
    monkeypatch.setattr(together, "DIRECT", 1)  # no waiting for steps to be recorded
    monkeypatch.setattr(command, "FIRST_CALLS", 1)
    monkeypatch.setattr(command, "WORKERS_ROUNDS", 2)
    monkeypatch.setattr(command, "WORKERS_S", 0.01)
    return effort


@pytest.mark.timeout(900)  # three processes for each engine, which on a crowded core take minutes
def test_bench_writes_one_file_whose_rows_hold_together(
    small: Effort, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made" / "out"
    assert main(["bench", "--json", "--out", str(out)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [path.name for path in out.iterdir() if path.name != ".part"] == ["bench.json"]
    assert open_json((out / "bench.json").read_bytes()) == rows
    assert [(row["engine"], row["recipe"], row["width"]) for row in rows] == [
        (engine, recipe, 1) for recipe in ("1989", "dropout_relu") for engine in engines.NAMES
    ]
    assert {(row["engine"], row["members"], row["device"]) for row in rows} == {
        ("compiled", 1, "cpu"),
        ("population", 3, "cpu"),
        ("reference", 1, "cpu"),
    }
    near = 1.02  # three digits are written
    for row in rows:
        assert list(row)[: len(CONTRACT)] == CONTRACT
        (low, high), (loop_low, loop_high) = row["us_range"], row["loop_range"]
        assert 0 < low <= row["us"] <= high
        assert 0 < loop_low <= row["loop_us"] <= loop_high
        assert loop_low / high / near <= row["ratio"] <= loop_high / low * near
        assert row["floor_us"] > 0
        assert row["floor_ratio"] > 0
        assert row["evaluate_us"] > 0
        assert row["first_call_s"] > 0
        assert row["rounds"] == small.rounds
    assert rows[0]["step_flop"] == 363_080
    if engines.available_cores() > 1:
        low, high = rows[0]["workers_range"]
        assert 0 < low <= rows[0]["workers_ratio"] <= high
    for line in (
        "compiled   1989",
        "population 1989             1      3",
        "x floor",
        "reference  dropout_relu",
        "GFLOP/s on one core",
    ):
        assert line in command.table(rows)


def test_populations_are_measured_at_every_size_asked_for(
    small: Effort,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What `bench --device cuda` does on a GPU with thousands, here on the CPU with a few."""
    monkeypatch.setattr(processes, "first_call_s", lambda *_: 1.0)
    monkeypatch.setattr(processes, "two_workers", lambda *_: None)
    monkeypatch.setattr(compiled, "unavailable", lambda: "numba cannot be used: not today")
    monkeypatch.setattr(steps, "RECIPES", ("1989",))
    assert main(["bench", "--json", "--device", "cpu", "--members", "1", "2,5"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["engine"], row["members"]) for row in rows] == [
        *(("population", members) for members in (1, 2, 5)),
        ("reference", 1),
    ]
    assert all(row["us"] > 0 and row["evaluate_us"] > 0 for row in rows)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_there_is_not_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--device", "cuda"]) == 2
    assert "no GPU" in capsys.readouterr().err


def test_without_numba_no_compiled_engine_is_measured(
    small: Effort,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(compiled, "unavailable", lambda: "numba cannot be used: not today")
    monkeypatch.setattr(processes, "first_call_s", lambda *_: 1.0)
    monkeypatch.setattr(processes, "two_workers", lambda *_: None)
    assert main(["bench", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["engine"] for row in rows] == ["population", "reference"] * 2
    assert {row[key] for row in rows for key in ("floor_us", "floor_ratio")} == {None}
    assert all(row["ratio"] > 0 for row in rows)
    assert "not today" in command.table(rows)


def test_a_worker_that_dies_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"worker of the benchmark died: .*child work warp"):
        processes.two_workers("warp", "no such recipe", 1, 0.01)
