"""Weights of named models in one .npz file: arrays named RUN_ID/NAME, float32, no pickle."""

import io
import zipfile
import zlib
from collections.abc import Mapping

import numpy as np

from scaling.errors import InputError
from scaling.models.weights import Weights
from scaling.store.retries import one_line

MOST_MODELS = 30  # in all published files together, so that the repository stays small
_MOST_MEMORY = 64_000_000  # bytes of all arrays; assumed: 30 models of width 8 have 60 million
# Errors of numpy and zipfile for other bytes than an .npz file's; an encrypted one: RuntimeError.
_UNREADABLE = (
    *(OSError, ValueError, EOFError, LookupError, AttributeError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error),
)


def weights_to_bytes(models: Mapping[str, Weights]) -> bytes:
    """Return the file of these models' weights, by run_id.

    Raises InputError for weights that could not be read again, as a published file never changes.
    """
    arrays = {
        f"{run}/{name}": array for run, found in models.items() for name, array in found.items()
    }
    body = io.BytesIO()
    np.savez_compressed(body, **arrays)  # type: ignore[arg-type]
    try:
        weights_from_bytes(body.getvalue())
    except InputError as error:
        raise InputError(f"these weights cannot be published: {error}") from error
    return body.getvalue()


def arrays_from_bytes(body: bytes) -> Weights:
    """Return the arrays of an .npz file. Raises InputError for other bytes."""
    try:
        memory = sum(part.file_size for part in zipfile.ZipFile(io.BytesIO(body)).infolist())
        if memory > _MOST_MEMORY:
            raise ValueError(f"{memory:,} bytes of arrays, at most {_MOST_MEMORY:,}")
        with np.load(io.BytesIO(body), allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except _UNREADABLE as error:
        raise InputError(f"not a file of weights ({one_line(error)})") from error


def weights_from_bytes(body: bytes) -> dict[str, Weights]:
    """Return weights by run_id and name. Raises InputError for a file that is not of weights."""
    models: dict[str, Weights] = {}
    for key, array in arrays_from_bytes(body).items():
        run_id, _, name = key.rpartition("/")
        if not (run_id and name) or array.dtype != np.float32:
            raise InputError(
                f"not a file of weights (array {key} of {array.dtype}, expected RUN_ID/NAME of"
                " float32)"
            )
        if not np.isfinite(array).all():
            raise InputError(f"not a file of weights (array {key} is not finite)")
        models.setdefault(run_id, {})[name] = array
    if not 0 < len(models) <= MOST_MODELS:
        raise InputError(
            f"not a file of weights ({len(models)} models, expected 1 to {MOST_MODELS})"
        )
    return models
