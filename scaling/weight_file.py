"""Weights of named models in one .npz file: arrays named RUN_ID/NAME, float32, no pickle."""

import io
import zipfile
import zlib
from collections.abc import Mapping

import numpy as np

from scaling.errors import InputError
from scaling.files import line_of
from scaling.weights import Weights

MOST_MODELS = 30  # of all published models, by the issue that asked for them
_MOST_MEMORY = 64_000_000  # bytes of all arrays, assumed: 30 models of width 8 are 60 million
# What numpy and zipfile raise for bytes that are no such file; RuntimeError for an encrypted one.
_UNREADABLE = (
    *(OSError, ValueError, EOFError, LookupError, AttributeError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error),
)


def weights_to_bytes(models: Mapping[str, Weights]) -> bytes:
    """The file of these models' weights, by run_id."""
    arrays = {
        f"{run}/{name}": array for run, found in models.items() for name, array in found.items()
    }
    body = io.BytesIO()
    np.savez_compressed(body, **arrays)  # type: ignore[arg-type]
    return body.getvalue()


def weights_from_bytes(body: bytes) -> dict[str, Weights]:
    """Weights by run_id and name. Raises InputError for a file that is not of weights."""
    models: dict[str, Weights] = {}
    try:
        memory = sum(part.file_size for part in zipfile.ZipFile(io.BytesIO(body)).infolist())
        if memory > _MOST_MEMORY:
            raise ValueError(f"{memory:,} bytes of arrays, at most {_MOST_MEMORY:,}")
        with np.load(io.BytesIO(body), allow_pickle=False) as file:
            for key in file.files:
                run_id, _, name = key.rpartition("/")
                array = file[key]
                if not (run_id and name) or array.dtype != np.float32:
                    raise ValueError(
                        f"array {key} of {array.dtype}, expected RUN_ID/NAME of float32"
                    )
                if not np.isfinite(array).all():
                    raise ValueError(f"array {key} is not finite")
                models.setdefault(run_id, {})[name] = array
        if not 0 < len(models) <= MOST_MODELS:
            raise ValueError(f"{len(models)} models, expected 1 to {MOST_MODELS}")
    except _UNREADABLE as error:
        raise InputError(f"not a file of weights ({line_of(error)})") from error
    return models
