"""The compiled engine reads and writes its own arrays only, and scores as the reference does."""

import numpy as np
import pytest
from lockstep import recipe

from scaling.data.selection import Dataset, Examples, select
from scaling.engines.compiled.layout import Layout
from scaling.models.lecun1989 import Network
from scaling.models.weights import initial_weights
from scaling.study import make_cell, make_members

pytestmark = pytest.mark.usefixtures("one_thread")


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
