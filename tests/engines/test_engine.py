"""Test the reference engine: exact, deterministic, a function of its arguments alone."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from scaling import engines
from scaling.data.counter_rng import keep_mask, presentation_keys, shifts
from scaling.data.selection import Dataset, select
from scaling.engines import Evaluation, NumericFailure, Trained, reference
from scaling.engines.reference import evaluate, predict
from scaling.errors import InputError
from scaling.models.lecun1989 import Network, loss_of
from scaling.models.weights import initial_weights
from scaling.recipes.ladder import LADDER
from scaling.recipes.recipe import Recipe
from scaling.recipes.registry import find_recipe
from scaling.study import Cell, Member, make_cell, make_members


def cell_for(data: Dataset, recipe: Recipe | str, **more: object) -> Cell:
    found = find_recipe(recipe) if isinstance(recipe, str) else recipe
    return make_cell(data.info, found, **({"n_train": 60} | more))  # type: ignore[arg-type]


def train(
    data: Dataset, cell: Cell, seeds: tuple[int, ...] = (0,), **more: object
) -> list[Trained]:
    chosen = {"engine": "reference", "epochs_evaluated": [cell.recipe.epochs]} | more
    members = make_members(cell.recipe, seeds)
    results = list(engines.train(cell, members, data, **chosen))  # type: ignore[arg-type]
    assert all(isinstance(result, Trained) for result in results)
    return results  # type: ignore[return-value]


def short(name: str, epochs: int = 2, **change: object) -> Recipe:
    return replace(find_recipe(name), epochs=epochs, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("recipe", LADDER)
def test_a_result_does_not_depend_on_what_ran_before(random_data: Dataset, recipe: str) -> None:
    cell = cell_for(random_data, short(recipe))
    alone = train(random_data, cell, (3,))[0]
    torch.manual_seed(99)
    np.random.seed(99)  # a global state, which must not matter
    torch.rand(7)
    beside = train(random_data, cell, (1, 3))[1]
    assert all((alone.weights[name] == beside.weights[name]).all() for name in alone.weights)
    assert [e.test for e in alone.history] == [e.test for e in beside.history]
    assert (alone.predicted == beside.predicted).all()


def test_seeds_give_different_models(random_data: Dataset) -> None:
    first, second = train(random_data, cell_for(random_data, short("1989")), (0, 1))
    assert (first.weights["h2_weight"] != second.weights["h2_weight"]).mean() > 0.99


def test_one_step_of_1989_is_the_gradient_step(random_data: Dataset) -> None:
    """Against a gradient by finite differences in double precision: no autograd on both sides."""
    cell = cell_for(random_data, short("1989", epochs=1), n_train=1)
    (trained,) = train(random_data, cell)
    start = initial_weights(cell.architecture, cell.recipe, 0)
    chosen = select(random_data, n_train=1, n_test=200, split="none", seed=0)
    x = torch.from_numpy(chosen.train.x).double()
    y = torch.from_numpy(chosen.train.y).long()
    network = Network(cell.architecture, cell.recipe, start).double()

    def loss() -> float:
        with torch.no_grad():
            return float(loss_of(cell.recipe, network(x), y))

    rng = np.random.default_rng(0)
    for name, parameter in network.named_parameters():
        for _ in range(4):
            at = tuple(int(rng.integers(0, n)) for n in parameter.shape)
            with torch.no_grad():
                parameter[at] += 1e-5
                up = loss()
                parameter[at] -= 2e-5
                down = loss()
                parameter[at] += 1e-5
            expected = start[name][at] - 0.03 * (up - down) / 2e-5
            assert trained.weights[name][at] == pytest.approx(expected, abs=2e-7), name


def test_the_modern_recipe_is_pytorchs_own_adamw_with_our_shifts_and_masks(
    random_data: Dataset,
) -> None:
    """An independent loop, with PyTorch's roll and the unfused optimizer."""
    cell = cell_for(random_data, short("modern", epochs=3), n_train=40)
    (trained,) = train(random_data, cell)
    data = select(random_data, n_train=40, n_test=200, split="none", seed=0).train
    network = Network(
        cell.architecture, cell.recipe, initial_weights(cell.architecture, cell.recipe, 0)
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-4, foreach=False)
    for epoch, rate in enumerate((3e-4, 2e-4, 1e-4)):
        optimizer.param_groups[0]["lr"] = rate
        keys = presentation_keys(0, 40 * epoch, 40)
        rows, columns = shifts(keys, 1)
        keep = torch.from_numpy(keep_mask(keys, 192, 0.25).astype(np.float32) / 0.75)
        for i in range(40):
            x = torch.from_numpy(data.x[i : i + 1])
            x = torch.roll(x, (int(rows[i]), int(columns[i])), (1, 2))
            y = torch.tensor([int(data.y[i])])
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(x, keep[i : i + 1]), y).backward()
            optimizer.step()
    for name, parameter in network.named_parameters():
        np.testing.assert_allclose(
            trained.weights[name], parameter.detach().numpy(), atol=2e-5, err_msg=name
        )


def test_examples_come_in_constant_order(
    random_data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    forward = Network.forward

    def spy(self: Network, x: torch.Tensor, keep: torch.Tensor | None = None) -> torch.Tensor:
        if self.training:
            seen.append(x.numpy().tobytes())
        return forward(self, x, keep)

    monkeypatch.setattr(Network, "forward", spy)
    train(random_data, cell_for(random_data, short("1989"), n_train=5))
    order = select(random_data, n_train=5, n_test=1, split="none", seed=0).train.x
    assert seen == [order[i : i + 1].tobytes() for i in range(5)] * 2


def test_minibatches_average_the_gradient(random_data: Dataset) -> None:
    """A batch of 4 in one step is one step along the mean of four gradients."""
    cell = cell_for(random_data, short("1989", epochs=1, batch_size=4), n_train=4)
    (batch,) = train(random_data, cell)
    start = initial_weights(cell.architecture, cell.recipe, 0)
    data = select(random_data, n_train=4, n_test=1, split="none", seed=0).train
    steps = []
    for i in range(4):
        network = Network(cell.architecture, cell.recipe, start)
        z = network(torch.from_numpy(data.x[i : i + 1]))
        loss_of(cell.recipe, z, torch.tensor([int(data.y[i])])).backward()
        steps.append(network.h2_weight.grad.numpy())  # type: ignore[union-attr]
    expected = start["h2_weight"] - 0.03 * np.mean(steps, axis=0)
    np.testing.assert_allclose(batch.weights["h2_weight"], expected, atol=1e-7)


def test_evaluation_is_a_pure_function_of_model_and_data(random_data: Dataset) -> None:
    cell = cell_for(random_data, short("modern"))
    network = Network(
        cell.architecture, cell.recipe, initial_weights(cell.architecture, cell.recipe, 0)
    )
    test = select(random_data, n_train=1, n_test=200, split="none", seed=0).test
    network.train()
    first, second = (evaluate(network, test, cell.recipe) for _ in range(2))
    assert first == second
    with torch.no_grad():
        z = network(torch.from_numpy(test.x))
    assert first.misses == int((z.argmax(1).numpy() != test.y).sum())
    assert first.loss == pytest.approx(
        float(loss_of(cell.recipe, z, torch.from_numpy(test.y).long()))
    )
    assert (predict(network, test) == z.argmax(1).numpy()).all()


def test_history_has_the_epochs_asked_for_and_the_last(random_data: Dataset) -> None:
    seen: list[int] = []

    def observe(member: Member, evaluation: Evaluation) -> None:
        assert member.seed == 0
        seen.append(evaluation.epoch)

    cell = cell_for(random_data, short("1989", epochs=5), split="tune")
    (trained,) = train(random_data, cell, epochs_evaluated=[1, 3], observe=observe)
    assert [e.epoch for e in trained.history] == seen == [1, 3, 5]
    assert [e.examples_seen for e in trained.history] == [60, 180, 300]
    last = trained.history[-1]
    assert last.val is not None
    assert (last.train.n, last.val.n, last.test.n) == (60, 100, 200)
    assert last.test.misses == int((~trained.correct).sum())
    assert all(a.wall_s <= b.wall_s and a.cpu_s <= b.cpu_s for a, b in pairwise(trained.history))


def test_a_rate_that_explodes_is_a_named_numeric_failure(random_data: Dataset) -> None:
    recipe = short("1989", epochs=3, lr=1e4, activation="relu", output="linear")
    cell = cell_for(random_data, recipe)
    members = make_members(recipe, (0, 1))
    results = list(
        engines.train(cell, members, random_data, engine="reference", epochs_evaluated=[3])
    )
    assert all(isinstance(result, NumericFailure) for result in results)
    assert "epoch 1 of 3" in results[0].error  # type: ignore[union-attr]


def test_threads_and_backends_are_as_before_afterwards(random_data: Dataset) -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        train(random_data, cell_for(random_data, short("1989", epochs=1)))
        assert torch.get_num_threads() == 2
        assert torch.backends.mkldnn.enabled
    finally:
        torch.set_num_threads(threads)


def test_it_learns(strokes_data: Dataset) -> None:
    """Both ends of the ladder beat a linear classifier's reach on 1,000 drawn digits."""
    for name, epochs, most in (("1989", 6, 0.25), ("modern", 20, 0.25)):
        cell = make_cell(strokes_data.info, short(name, epochs), n_train=1000, n_test=2000)
        (trained,) = train(strokes_data, cell)
        assert trained.history[-1].test.misses < most * 2000, name


def test_unknown_engines_and_missing_gpus_are_one_line(random_data: Dataset) -> None:
    cell = cell_for(random_data, short("1989"))
    with pytest.raises(InputError, match="unknown engine 'warp'"):
        train(random_data, cell, engine="warp")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="no GPU"):
            train(random_data, cell, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_model_up_to_rounding(random_data: Dataset) -> None:
    cell = cell_for(random_data, short("1989", epochs=1), n_train=100)
    (cpu,), (gpu,) = (train(random_data, cell, device=device) for device in ("cpu", "cuda"))
    for name in cpu.weights:
        np.testing.assert_allclose(cpu.weights[name], gpu.weights[name], atol=1e-5)


def test_real_digits_give_the_published_number_of_misses(data_dir) -> None:  # type: ignore[no-untyped-def]  # noqa: ARG001
    """A quarter of the published epochs; the whole run is `scaling train`, 60 to 115 of 2,007."""
    from scaling.data import datasets

    data = datasets.load(datasets.find("mnist")[0], 1)
    cell = make_cell(data.info, short("1989", epochs=5), n_train=7291, n_test=2007)
    (trained,) = train(data, cell)
    assert 70 < trained.history[-1].test.misses < 170


def test_the_reference_is_an_engine_by_name() -> None:
    assert reference.ENGINE in engines.NAMES
