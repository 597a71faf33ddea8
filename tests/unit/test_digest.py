"""The digest of a JSON file: where it is, what it finds, and what a stranger may make of it."""

import hashlib
import json

import pytest

from scaling.store.digest import SEALED, SHA256, ZEROS, DamagedError, open_json, seal_json

ROW = {"a": 1.5, "b": [None, "x"]}


@pytest.mark.parametrize("value", [ROW, [ROW], [ROW, {"c": 2}, ROW]])
@pytest.mark.parametrize("indent", [None, 1])
def test_each_flipped_bit_is_found(value: object, indent: int | None) -> None:
    body = seal_json(value, indent=indent)  # type: ignore[arg-type]
    assert open_json(body) == value
    for bit in range(8 * len(body)):
        harmed = bytearray(body)
        harmed[bit // 8] ^= 1 << bit % 8
        with pytest.raises((DamagedError, UnicodeDecodeError)):
            open_json(bytes(harmed))


@pytest.mark.parametrize(
    "value",
    [
        {"x": {SEALED: "sha256"}, SHA256: ZEROS},
        [SEALED, {SHA256: ZEROS}],
        [{"x": SEALED}, {SHA256: ZEROS}],
        [[SEALED], {SHA256: ZEROS}],
    ],
)
def test_a_forged_seal_is_damage(value: object) -> None:
    text = json.dumps(value)
    body = text.replace(ZEROS, hashlib.sha256(text.encode()).hexdigest()).encode()
    with pytest.raises(DamagedError, match="not where it belongs"):
        open_json(body)
