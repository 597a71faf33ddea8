"""A stored model's weights: trained again, or checked by their predictions.

If they differ from those of its rows, an error names the difference.
"""

import numpy as np

from scaling import engines
from scaling.archive.models import Model, Row
from scaling.data import datasets
from scaling.data.selection import take, test_order
from scaling.engines import Trained
from scaling.errors import InputError
from scaling.models.registry import initial_weights
from scaling.models.weights import Weights
from scaling.pretraining import start_of
from scaling.recipes.tricks import TRICKS
from scaling.study import Cell, Member, cell_from_plan, make_cell, members_from_plan
from scaling.verifying.again import differences
from scaling.verifying.folder import StoredModel

# Images; assumed: engines sum in different orders, so the larger of two nearly equal outputs may
# differ.
MOST_UNLIKE = 2


def retrain(entry: Row, model: Model) -> Weights:
    """Train a model again by the engine that trained it and return its weights.

    Raises InputError unless its rows equal the stored ones bit for bit.
    """
    cell, member, source = _planned(entry, model)
    last = model.rows[-1]
    start_source = cell.start.dataset if cell.start else ""  # older plans name no source
    (result,) = engines.train(
        cell,
        [member],
        datasets.load(source, cell.n_train),
        engine=last["engine"],
        device=last["device"],
        epochs_evaluated=[row["epoch"] for row in model.rows],
        start=start_of(cell, entry.get("start_source", start_source)),
    )
    if not isinstance(result, Trained):
        raise InputError(f"model {model.run_id} failed when it was trained again: {result.error}")
    stored = StoredModel(
        run_id=model.run_id,
        rows=model.rows,
        prediction=model.prediction,
        metrics_file="",
        predictions_file="",
    )
    if unequal := list(differences(stored, result)):
        name, now, then = unequal[0]
        raise InputError(
            f"model {model.run_id} came out differently when it was trained again ({name}: got"
            f" {now}, stored is {then}): its weights are not those of the stored row"
        )
    return result.weights


def check_weights(entry: Row, model: Model, weights: Weights) -> None:
    """Raise InputError unless weights predict the test images as the stored model does.

    The reference engine predicts, whichever engine trained, so a few images may differ.
    """
    cell, member, source = _planned(entry, model)
    template = initial_weights(cell.sizes, cell.recipe, member.seed)
    expected = {name: (array.shape, array.dtype) for name, array in template.items()}
    found = {name: (array.shape, array.dtype) for name, array in weights.items()}
    for name in sorted({*expected, *found}):
        if expected.get(name) != found.get(name):
            got = "{0[0]} of {0[1]}".format(found[name]) if name in found else "no such array"
            raise InputError(
                f"weights of {model.run_id}: {name} is {got}, expected the arrays of its model:"
                f" use --train-weights {model.run_id}"
            )
    if cell.recipe.norm == "batch":
        raise InputError(
            f"weights of {model.run_id} cannot be checked, as batch normalization also needs"
            f" averages that are not stored: use --train-weights {model.run_id}"
        )
    from scaling.engines.reference import deterministic, predict  # torch takes seconds to import
    from scaling.models.build import build_network

    data = datasets.load(source, cell.n_train)
    test = take(data.x_test, data.y_test, test_order(data.info, cell.n_test))
    with deterministic():
        predicted = predict(build_network(cell.sizes, cell.recipe, weights), test)
    unlike = np.count_nonzero(predicted != np.frombuffer(model.prediction["predicted"], np.uint8))
    if unlike > MOST_UNLIKE:
        raise InputError(
            f"weights of {model.run_id} are not those of its row: {unlike:,} images are predicted"
            f" otherwise, expected at most {MOST_UNLIKE}; use --train-weights {model.run_id}"
        )


def _planned(entry: Row, model: Model) -> tuple[Cell, Member, str]:
    """Return a model's cell, member and source. Raises InputError if their meaning has changed."""
    cell = cell_from_plan(entry)
    member = next(m for m in members_from_plan(cell, entry) if cell.run_id(m) == model.run_id)
    source = entry.get("source", cell.dataset)
    _, info = datasets.find(source)
    shape = {name: getattr(cell, name) for name in ("n_train", "n_test", "split", "width", "model")}
    odd = [name for name, v in cell.recipe.tricks if name in TRICKS and TRICKS[name].version != v]
    if odd or make_cell(info, cell.recipe, start=cell.start, **shape) != cell:
        raise InputError(
            f"model {model.run_id} cannot be trained or judged again: the data set {info.name} has"
            f" version {info.version}, or a trick has changed its meaning, since it was trained"
        )
    return cell, member, source
