"""The bytes of a published study: ordinary Parquet, and one line of error for anything else."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_runs import INFO, LABELS, published

from scaling.archive import parquet_file
from scaling.archive.models import Archive
from scaling.archive.parquet_file import from_bytes, read_folder, to_bytes
from scaling.archive.weights import weights_from_bytes, weights_to_bytes
from scaling.errors import InputError


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    _, into = published(tmp_path_factory.mktemp("found"))
    (archive,) = read_folder(into)
    return archive


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("n_train", 31, "n_train not as its identity says"),
        ("seed", 7, "seed not as its identity says"),
        ("recipe", "best", "recipe not as its identity says"),
        ("test_set_id", "x", "test_set_id not as its identity says"),
        ("test_misses", 1, "differ in number"),
        ("test_misses", None, "differ in number"),
        ("epoch", 4, "epochs"),
        ("run_id", "x", "not in the plan"),
        ("run_id", None, "not in the plan"),
        ("correct", b"", "correctness bits"),
        ("correct", b"\xff" * 13, "correctness bits"),
        ("correct", b"\xff" * 12 + b"\xf8", "differ in number"),
        ("wrong", b"", "differ in number"),
        ("curve", None, "NoneType"),
    ],
)
def test_a_forged_row_is_refused_in_one_line(
    found: Archive, column: str, value: object, said: str
) -> None:
    rows, header = parquet_file.pack(found)
    rows[1] = {**rows[1], column: value}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet_file, "pack", lambda _: (rows, header))
        body = to_bytes(found)
    with pytest.raises(InputError, match=said) as caught:
        from_bytes(body)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.pop("plan"),
        lambda header: header.pop("labels"),
        lambda header: header["plan"]["cells"][0].update(n_train=31),
        lambda header: header["plan"]["cells"][0]["members"][0].update(seed=9),
        lambda header: header["plan"].update(name="x/../y"),
        lambda header: header["plan"].update(name=".x"),
        lambda header: header["plan"].update(name=None),
        lambda header: header["plan"].update(cells="x"),
        lambda header: header["labels"].clear(),
        lambda header: header["labels"].update({k: v[1:] for k, v in header["labels"].items()}),
        lambda header: header["labels"].update(
            {k: "." * len(v) for k, v in header["labels"].items()}
        ),
        lambda header: header["labels"].update(dict.fromkeys(header["labels"], "\u0663")),
        lambda header: header["failures"].append({}),
        lambda header: header["failures"].append(
            {"run_id": "../x", "kind": "numeric", "created_at": "2026-01-01"}
        ),
        lambda header: header["failures"].append(7),
        lambda header: header["plan"].update(cells=[]),
    ],
)
def test_a_forged_header_is_refused_in_one_line(found: Archive, change: Any) -> None:
    rows, header = parquet_file.pack(found)
    header = json.loads(json.dumps(header))
    change(header)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet_file, "pack", lambda _: (rows, header))
        body = to_bytes(found)
    with pytest.raises(InputError) as caught:
        from_bytes(body)
    assert len(str(caught.value).splitlines()) == 1


def test_a_header_of_nested_brackets_is_refused(found: Archive) -> None:
    rows, header = parquet_file.pack(found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet_file, "pack", lambda _: (rows, header))
        patch.setattr("scaling.archive.parquet_file.json.dumps", lambda *_, **__: "[" * 100_000)
        body = to_bytes(found)
    with pytest.raises(InputError, match="recursion"):
        from_bytes(body)


def test_other_files_are_refused(found: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    body = to_bytes(found)
    for other in (b"", b"PAR1", b"\0" * 1000, body[:-9], body[9:], body.replace(b"PAR1", b"PAR2")):
        with pytest.raises(InputError):
            from_bytes(other)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"run_id": ["x"]}), sink)
    with pytest.raises(InputError, match="format None"):
        from_bytes(bytes(sink.getvalue()))
    sink = pa.BufferOutputStream()
    metadata = pq.ParquetFile(pa.BufferReader(body)).metadata.metadata
    pq.write_table(pa.table({"run_id": ["x"]}).replace_schema_metadata(metadata), sink)
    with pytest.raises(InputError, match="other columns"):
        from_bytes(bytes(sink.getvalue()))
    for limit in ("_MOST_MODELS", "_MOST_VALUES", "_MOST_MEMORY"):
        with monkeypatch.context() as patch:
            patch.setattr(parquet_file, limit, 3)
            with pytest.raises(InputError, match="too many"):
                from_bytes(body)


def test_results_that_contradict_themselves_are_not_published(found: Archive) -> None:
    first, second, *rest = found.models
    other = {**second.prediction, "predicted": bytes((v + 1) % 10 for v in LABELS.tolist())}
    with pytest.raises(InputError, match="another class"):
        to_bytes(replace(found, models=(first, replace(second, prediction=other), *rest)))
    rows = ({**first.rows[0], "host": "elsewhere"}, *first.rows[1:])
    with pytest.raises(InputError, match="differ between the epochs"):
        to_bytes(replace(found, models=(replace(first, rows=rows), second, *rest)))
    with pytest.raises(InputError, match="twice"):
        to_bytes(replace(found, models=(first, first)))


def test_one_epoch_and_later_ones_are_ordinary_parquet(tmp_path: Path) -> None:
    """As docs/published/README.md shows it."""
    import pandas as pd

    store, into = published(tmp_path)
    (path,) = into.iterdir()
    table = pd.read_parquet(path).set_index("run_id")
    last = store.read("metrics").table.to_pandas().query("epoch == epochs").set_index("run_id")
    assert (table.test_loss == last.test_loss[table.index]).all()
    assert [each["epoch"] for each in table.curve.iloc[0]] == [1, 2]
    bits = np.unpackbits(np.frombuffer(table.correct.iloc[0], np.uint8), count=INFO.n_test)
    assert (bits == 0).sum() == table.test_misses.iloc[0] == len(table.wrong.iloc[0])


def test_a_file_of_weights_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {"a": np.arange(6, dtype=np.float32).reshape(2, 3)}
    body = weights_to_bytes({"run-1": weights, "run-2": weights})
    found = weights_from_bytes(body)
    assert list(found) == ["run-1", "run-2"]
    assert (found["run-1"]["a"] == weights["a"]).all()
    assert weights_from_bytes(_npz({"run-1": weights})).keys() == {"run-1"}
    bad = [
        b"",
        body[:-5],
        b"PK" + body,
        re.sub(rb"(PK\x01\x02..).", lambda m: m[1] + b"\xff", body, flags=re.DOTALL),  # a newer zip
    ]
    unfit: list[dict[str, Any]] = [
        {},
        {"": weights},
        {"r": {"a": np.array([np.nan], np.float32)}},
        {"r": {"a": np.zeros(3)}},
        {"r": {"a": np.array([{}])}},
        {f"r{i}": weights for i in range(31)},
    ]
    for other in (*bad, *map(_npz, unfit)):
        with pytest.raises(InputError):
            weights_from_bytes(other)
    for models in unfit:  # a file that nobody can read is not written either
        with pytest.raises(InputError, match="cannot be published"):
            weights_to_bytes(models)
    monkeypatch.setattr("scaling.archive.weights._MOST_MEMORY", 100)
    with pytest.raises(InputError, match="at most 100"):
        weights_from_bytes(body)


def _npz(models: dict[str, Any]) -> bytes:
    """Another program may have written the file so."""
    body = io.BytesIO()
    arrays = {
        f"{run}/{name}": array for run, found in models.items() for name, array in found.items()
    }
    np.savez(body, **arrays)
    return body.getvalue()
