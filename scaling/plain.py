"""Frozen dataclasses from the JSON of a plan, each value checked against the type of its field."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from scaling.errors import InputError

T = TypeVar("T")


def from_plain(kind: type[T], plain: Any, where: str, *, only_fields: bool = False) -> T:
    """Return the dataclass `kind` with the values of its JSON; a missing field gets its default.

    Nested values may have no unknown keys: those of a newer version of this code might change the
    training. `where` names the value in messages.
    Raises InputError for a missing value and for one of another type.
    """
    assert is_dataclass(kind)
    hints, known = get_type_hints(kind), {field.name: field for field in fields(kind)}
    if not isinstance(plain, Mapping):
        raise InputError(f"{where}: expected an object with {', '.join(known)}")
    if only_fields and (odd := [str(name) for name in plain if name not in known]):
        raise InputError(f"{where} has {', '.join(odd)}, which this version of the code lacks")
    values = {}
    for name, field in known.items():
        if name in plain:
            values[name] = _convert(hints[name], plain[name], f"{where}: {name}")
        elif field.default is MISSING:
            raise InputError(f"{where} has no {name}: expected {', '.join(known)}")
    return kind(**values)


def _convert(hint: Any, value: Any, where: str) -> Any:
    """Return a JSON value as the type of a field; integers stay integers, as in the identity."""
    options, origin = get_args(hint), get_origin(hint)
    if type(None) in options:
        (hint,) = (option for option in options if option is not type(None))
        return None if value is None else _convert(hint, value, where)
    if is_dataclass(hint):
        assert isinstance(hint, type)
        return from_plain(hint, value, where, only_fields=True)
    if origin is tuple and isinstance(value, list):  # the tricks: (name, version) each
        if options[-1] is Ellipsis:
            return tuple(_convert(options[0], each, where) for each in value)
        if len(value) == len(options):
            return tuple(_convert(o, v, where) for o, v in zip(options, value, strict=True))
    elif origin is Literal:
        if isinstance(value, str) and value in options:
            return value
    elif hint is float and type(value) in (int, float):
        if -math.inf < value < math.inf and (type(value) is float or abs(value) < 2**53):
            return value
    elif type(value) is hint and (hint is not int or abs(value) < 2**63):
        return value
    expected = f"one of {', '.join(options)}" if origin is Literal else _type_name(hint)
    raise InputError(f"{where} is {str(value)[:40]!r}, expected {expected}")


def _type_name(hint: Any) -> str:
    return str(hint) if get_args(hint) else hint.__name__
