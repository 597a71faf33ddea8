"""The sizes that the pages of a Parquet file give of themselves; its footer may give smaller ones.

A page begins with a PageHeader in Thrift's compact protocol. Sources:
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift and
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from collections.abc import Iterator
from typing import Any

# Numbers of the fields of a PageHeader: sizes in bytes, and the header of its kind of page.
UNPACKED, PACKED, OF_ITS_KIND = 2, 3, (5, 7, 8)
N_VALUES = 1  # in the header of any kind
# Thrift's types, of those that a PageHeader has.
BOOLS, BYTE, INTEGERS, BINARY, STRUCT = (1, 2), 3, (4, 5, 6), 8, 12
MOST_DEEP = 4  # structs in each other; a PageHeader has three
MOST_BITS = 63


def page_sizes(body: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield of each page of `body[start:end]` its bytes once unpacked and its number of values.

    Raises ValueError where there is no page.
    """
    if start < 0:
        raise ValueError("a page before the file")
    while start < end:
        try:
            header, start = _struct(body, start, MOST_DEEP)
            packed, unpacked = header[PACKED], header[UNPACKED]
            counted = (header[kind][N_VALUES] for kind in OF_ITS_KIND if kind in header)
            values = max(counted, default=0)
        except (IndexError, KeyError, TypeError) as error:
            raise ValueError("a page without a whole header") from error
        if min(packed, unpacked, values) < 0:
            raise ValueError("a page of negative size")
        yield unpacked, values
        start += packed


def _struct(body: bytes, at: int, deep: int) -> tuple[dict[int, Any], int]:
    """Return the integers and structs of a struct by their fields' numbers, and its end."""
    found, field = dict[int, Any](), 0
    while head := body[at]:
        at += 1
        if step := head >> 4:
            field += step
        else:
            field, at = _integer(body, at)
        kind = head & 15
        if kind in INTEGERS:
            found[field], at = _integer(body, at)
        elif kind == STRUCT and deep:
            found[field], at = _struct(body, at, deep - 1)
        elif kind == BINARY:
            length, at = _varint(body, at)
            at += length
        elif kind == BYTE:
            at += 1
        elif kind not in BOOLS:  # whose value is their type
            raise ValueError("a page with a header that Parquet does not know")
    return found, at + 1


def _integer(body: bytes, at: int) -> tuple[int, int]:
    coded, at = _varint(body, at)
    return (coded >> 1) ^ -(coded & 1), at


def _varint(body: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while (byte := body[at]) > 127 and shift <= MOST_BITS:
        found |= (byte & 127) << shift
        shift, at = shift + 7, at + 1
    return found | byte << shift, at + 1
