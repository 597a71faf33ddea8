"""Pure functions of the code under test, whose values for equal arguments are remembered.

Worlds are alike: most of their files have the bytes of a file of another world. No schedule depends
on what is remembered.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

from scaling import engines
from scaling.cell import Cell
from scaling.store import compact, digest, documents, files, mend, plan_schema, rows, store, tables
from scaling.store.contents import Contents, read_contents

from . import models

MOST = 50_000  # values of each function
_known: dict[str, dict[Any, Any]] = {}


class NoOlderFiles:
    """Refuse files without digests, in place of a process that reads them: none is written here."""

    def __enter__(self) -> "NoOlderFiles":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def error_of(self, body: bytes) -> str:
        raise AssertionError(f"{len(body)} bytes passed for an older file, without digests")


def _remember(function: Callable[[], Any], name: str, key: Any) -> Any:
    known = _known.setdefault(name, {})
    if key not in known:
        if len(known) > MOST:
            known.clear()
        known[key] = function()
    return known[key]


@lru_cache(MOST)
def _decode(body: bytes, schema: Any) -> tables.Decoded:
    return tables.decode(body, schema, NoOlderFiles())  # type: ignore[arg-type]


def decode(body: bytes, schema: Any, _: object) -> tables.Decoded:
    return _decode(body, schema)


def encode_rows(made: Any, schema: Any) -> bytes:
    body: bytes = _remember(
        lambda: tables.encode_rows(made, schema), "encode_rows", (repr(made), schema)
    )
    return body


_encode = tables.encode


def encode(groups: Any, schema: Any) -> bytes:
    key = tuple(repr(group.to_pylist()) for group in groups), schema
    body: bytes = _remember(lambda: _encode(groups, schema), "encode", key)
    return body


_seal_json = digest.seal_json


def seal_json(value: Mapping[str, Any], **layout: Any) -> bytes:
    body: bytes = _remember(
        lambda: _seal_json(value, **layout), "seal_json", (repr(value), repr(layout))
    )
    return body


_parse_plan = lru_cache(MOST)(plan_schema.parse_plan)


def parse_plan(path: str, body: bytes) -> dict[str, Any]:
    return dict(_parse_plan(path, body))


def contents_of(
    *kinds: Any, columns: Any, plans: Any, records: Any, unreadable: Any, stamps: Any
) -> Contents:
    """Return what `read_contents` returns; tables are equal where they are the same object."""
    key = (
        *(tuple((file.name, file.path, id(file.table)) for file in kind) for kind in kinds),
        *(tuple(columns), tuple(unreadable), tuple(map(tuple, stamps.values()))),
        *((name, len(plan["cells"]), plan["cells"][0]["cell_id"]) for name, plan in plans.items()),
    )
    found, _ = _remember(
        lambda: (
            read_contents(
                *kinds,
                columns=columns,
                plans=plans,
                records=records,
                unreadable=unreadable,
                stamps=stamps,
            ),
            kinds,  # so that no other table gets the place of one of these
        ),
        "contents",
        key,
    )
    sound = {kind: {n: stamps[kind][n] for n in names} for kind, names in found.sound.items()}
    return replace(found, plans=plans, records=records, sound=sound)


_metric_rows = rows.identity_columns


@lru_cache(MOST)
def identity_columns(cell: Any, member: Any) -> dict[str, Any]:
    return _metric_rows(cell, member)


REMEMBERED = (
    (Cell, "run_id", models.run_id),
    (Cell, "cell_id", property(cache(Cell.cell_id.fget))),  # type: ignore[attr-defined]
    (engines, "choose", cache(engines.choose)),
    (rows, "identity_columns", identity_columns),
    (store, "decode", decode),
    (store, "encode_rows", encode_rows),
    (store, "read_contents", contents_of),
    *((module, "encode", encode) for module in (compact, mend)),
    (documents, "seal_json", seal_json),
    (documents, "parse_plan", parse_plan),
    (files, "path_inside", lambda root, name, **_: f"{root}/{name}"),  # no links are simulated
)
