"""A stored model trained again: the same weights, or an error that says what differs."""

from scaling import datasets, engines
from scaling.archive import PER_EPOCH, Model, Row
from scaling.engines import Trained
from scaling.errors import InputError
from scaling.pretraining import start_of
from scaling.rows import metric_rows, prediction_row
from scaling.study import cell_from_plan, make_cell, members_from_plan
from scaling.tricks import TRICKS
from scaling.weights import Weights


def trained_again(entry: Row, model: Model) -> Weights:
    """The weights of a model, trained anew by the engine that trained it.

    Raises InputError unless its rows are those of the stored model, to the bit.
    """
    cell = cell_from_plan(entry)
    member = next(m for m in members_from_plan(cell, entry) if cell.run_id(m) == model.run_id)
    last, source = model.rows[-1], entry.get("source", cell.dataset)
    _, info = datasets.find(source)
    shape = {name: getattr(cell, name) for name in ("n_train", "n_test", "split", "width", "model")}
    odd = [name for name, v in cell.recipe.tricks if name in TRICKS and TRICKS[name].version != v]
    if odd or make_cell(info, cell.recipe, start=cell.start, **shape) != cell:
        raise InputError(
            f"model {model.run_id} cannot be trained again: the data set {info.name} has version"
            f" {info.version}, or a trick has changed its meaning, since it was trained"
        )
    (result,) = engines.train(
        cell,
        [member],
        datasets.load(source, cell.n_train),
        engine=last["engine"],
        device=last["device"],
        epochs_evaluated=[row["epoch"] for row in model.rows],
        start=start_of(cell, cell.start.dataset if cell.start else ""),
    )
    if not isinstance(result, Trained):
        raise InputError(f"model {model.run_id} failed when it was trained again: {result.error}")
    rows = metric_rows(last["study"], cell, result)
    differ = [
        name
        for name in PER_EPOCH
        if name not in ("wall_s", "cpu_s")
        and [row.get(name) for row in rows] != [row[name] for row in model.rows]
    ]
    if differ or prediction_row(cell, result) != model.prediction:
        raise InputError(
            f"model {model.run_id} came out differently when it was trained again"
            f" ({', '.join(differ) or 'predictions'}): its weights are not those of the stored row"
        )
    return result.weights
