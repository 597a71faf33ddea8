"""Test that columns become arrays with the values that Python would have."""

import numpy as np
import pyarrow as pa
import pytest

from scaling.store.columns import bytes_of_rows, codes_of, shared_objects
from scaling.store.memory import steady_memory

MAPS = [[("a", "1"), ("b", "2")], [("a", "1")], None, [], [("a", None)], [("a", "1")]]
LISTS = [["x"], [], ["x", "y"], None, ["y", "x"], ["x"], [None]]


@pytest.mark.parametrize(
    ("values", "kind"),
    [(MAPS, pa.map_(pa.string(), pa.string())), (LISTS, pa.list_(pa.string()))],
    ids=["maps", "lists"],
)
def test_lists_and_maps_are_those_of_python_and_equal_ones_are_shared(
    values: list[object], kind: pa.DataType
) -> None:
    column = pa.chunked_array([pa.array(values[:2], kind), pa.array(values[2:], kind)])
    for start in range(len(values)):
        found = shared_objects(column.slice(start, len(values) - 2))
        assert found.tolist() == values[start : start + len(values) - 2]
    whole = shared_objects(column)
    first = values.index(values[-1]) if values is MAPS else 0
    same = 1 if values is MAPS else 5
    assert whole[first] is whole[-1 if values is MAPS else same]


def test_memory_comes_from_the_system_where_pyarrow_has_no_jemalloc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on most Macs."""
    before = pa.default_memory_pool().backend_name
    with steady_memory():
        assert pa.default_memory_pool().backend_name != "mimalloc"

    def none() -> None:
        raise NotImplementedError

    monkeypatch.setattr(pa, "supported_memory_backends", lambda: ["mimalloc", "system"])
    monkeypatch.setattr(pa, "jemalloc_memory_pool", none)
    with steady_memory():
        assert pa.default_memory_pool().backend_name == "system"
    assert pa.default_memory_pool().backend_name == before


def test_binary_values_are_rows_of_bytes() -> None:
    column = pa.array([b"ab", b"cd", b"ef"])
    assert bytes_of_rows(column, 2).tobytes() == b"abcdef"
    assert bytes_of_rows(column.slice(1), 2).tolist() == [[99, 100], [101, 102]]
    assert bytes_of_rows(column.slice(3), 2).shape == (0, 2)


def test_codes_are_equal_where_values_are() -> None:
    codes, values = codes_of(pa.chunked_array([["b", "a"], ["b", None]], pa.string()))
    assert [values[code] for code in codes] == ["b", "a", "b", None]
    assert np.issubdtype(codes.dtype, np.int64)
