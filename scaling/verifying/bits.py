"""Predictions: their counts compared with the rows, their bits with the labels.

Shapes: M test images.
"""

import numpy as np
from numpy.typing import NDArray

from scaling.data import datasets
from scaling.data.download import Unavailable
from scaling.data.selection import Labels, test_order
from scaling.errors import InputError
from scaling.models.architecture import N_CLASSES
from scaling.store.store import pack_correct, unpack_correct
from scaling.study import Cell
from scaling.verifying.folder import StoredModel
from scaling.verifying.ledger import BITS, LABELS, Ledger


def check_counts(model: StoredModel, ledger: Ledger) -> bool:
    """Check a model's bits and predictions against its last row; return whether sizes are right."""
    ledger.count(BITS)
    page = ledger.about(BITS, model.run_id, model.predictions_file)
    prediction, last = model.prediction, model.last
    if prediction is None:
        page.fail("predictions", None, "a row")
        return False
    correct, predicted, n_test = prediction["correct"], prediction["predicted"], last["n_test"]
    page.equal("test_set_id of predictions", prediction["test_set_id"], last["test_set_id"])
    page.equal("n_test of predictions", prediction["n_test"], n_test)
    if not isinstance(n_test, int) or n_test < 1:
        return False  # the check of the rows reports it
    sizes = [len(correct or b""), len(predicted or b"")]
    if not page.equal("bytes of correct and predicted", sizes, [-(-n_test // 8), n_test]):
        return False
    bits_M = unpack_correct(correct, n_test)
    if pack_correct(bits_M) != correct:
        page.fail("bits of correct beyond the last image", "some set", "none")
    page.equal(
        f"test_misses of epoch {last['epoch']}", last["test_misses"], n_test - int(bits_M.sum())
    )
    largest = int(np.frombuffer(predicted, np.uint8).max())
    if largest >= N_CLASSES:
        page.fail("largest class predicted", largest, f"less than {N_CLASSES}")
    return True


def check_labels(model: StoredModel, labels_M: Labels, ledger: Ledger) -> None:
    """Check that bits are set where predictions equal labels; `check_counts` checks the sizes."""
    assert model.prediction
    ledger.count(LABELS)
    correct_M = unpack_correct(model.prediction["correct"], len(labels_M))
    predicted_M = np.frombuffer(model.prediction["predicted"], np.uint8)
    wrong: NDArray[np.intp] = np.flatnonzero((predicted_M == labels_M) != correct_M)
    if len(wrong):
        first = int(wrong[0])
        ledger.about(LABELS, model.run_id, model.predictions_file).fail(
            f"correct where the prediction is not the label, or the other way round,"
            f" on {len(wrong)} of {len(labels_M)} images; image {first}",
            f"class {predicted_M[first]}, {'correct' if correct_M[first] else 'wrong'}",
            f"label {labels_M[first]}",
        )


def labels_of(cell: Cell, source: str) -> Labels | str:
    """Return the labels (M,) of a cell's test set, or why they are not available."""
    try:
        loaded = datasets.load(source, 1)
    except (InputError, Unavailable) as error:
        return " ".join(str(error).split())
    if (loaded.info.name, loaded.info.version) != (cell.dataset, cell.data_version):
        return (
            f"{cell.dataset} is version {loaded.info.version[:12]} here, and results are of"
            f" version {cell.data_version[:12]}"
        )
    return np.asarray(loaded.y_test[test_order(loaded.info, cell.n_test)])
