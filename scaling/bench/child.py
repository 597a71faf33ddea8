"""A separate process that trains, for scaling/bench/processes.py.

python -m scaling.bench.child first ENGINE RECIPE    seconds of its first call
python -m scaling.bench.child work ENGINE RECIPE     for each line of seconds: examples a second
"""

import sys
from dataclasses import replace
from time import perf_counter

import numpy as np

from scaling import engines
from scaling.data.selection import Dataset, DatasetInfo, Examples
from scaling.engines import NumericFailure
from scaling.recipes.registry import find_recipe
from scaling.study import Cell, make_cell, make_members

EXAMPLES = 500  # of noise: an engine's speed does not depend on its images


def main(what: str, engine: str, recipe: str) -> None:
    info = DatasetInfo(name="noise", version="1", n_train=EXAMPLES, n_test=1, n_val=0)
    cell = make_cell(info, replace(find_recipe(recipe), epochs=1), n_train=1)
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (EXAMPLES, 16, 16)).astype(np.float32)
    y = rng.integers(0, 10, EXAMPLES).astype(np.uint8)
    if what == "first":
        data = Dataset(info=info, x_train=x, y_train=y, x_test=x[:1], y_test=y[:1])
        print(first_call(engine, cell, data), flush=True)  # noqa: T201  to the parent
    else:
        work(engine, cell, Examples(x=x, y=y))


def first_call(engine: str, cell: Cell, data: Dataset) -> float:
    """Return seconds from an engine's first call to one trained model, without imports."""
    if engine == "compiled":
        import scaling.engines.compiled.engine
    elif engine == "population":
        import scaling.engines.population.engine
    else:
        import scaling.engines.reference  # noqa: F401
    started = perf_counter()
    (result,) = engines.train(
        cell, make_members(cell.recipe, [0]), data, engine=engine, epochs_evaluated=[1]
    )
    assert not isinstance(result, NumericFailure)
    return perf_counter() - started


def work(engine: str, cell: Cell, examples: Examples) -> None:
    """Train for the seconds of each line on stdin; print the examples per second."""
    from scaling.bench.steps import epochs_of, new_model, one_thread

    (member,) = make_members(cell.recipe, [0])
    with one_thread():
        train = epochs_of(new_model(engine, cell, member, examples))
        train()
        print("ready", flush=True)  # noqa: T201
        for line in sys.stdin:
            epochs, started = 0, perf_counter()
            while perf_counter() - started < float(line):
                train()
                epochs += 1
            print(epochs * len(examples) / (perf_counter() - started), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
