"""requirements.lock: hashes of every file, the tested versions, and no address of an index."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ONLY_ELSEWHERE = {"colorama"}  # on Windows
OF_EVERY_VENV = {"setuptools"}


def pins(name: str) -> dict[str, str]:
    """Return versions by package."""
    found = re.findall(r"^([\w.-]+)==([^\s;\\]+)", (ROOT / name).read_text(), re.MULTILINE)
    return {package.lower().replace("_", "-"): version for package, version in found}


def test_it_has_the_tested_versions() -> None:
    """To write it anew: make lock."""
    locked = pins("requirements.lock")
    for package in ONLY_ELSEWHERE | OF_EVERY_VENV:
        locked.pop(package, None)
    assert locked == pins("constraints.txt")


def test_every_file_has_its_hash_and_no_address_is_named() -> None:
    text = (ROOT / "requirements.lock").read_text()
    entries = [part for part in re.split(r"\n(?=\S)", text) if not part.startswith("#")]
    assert len(entries) > 100
    for entry in entries:
        first, *lines = entry.rstrip().splitlines()
        assert re.fullmatch(r"[\w.-]+==\S+( ; [^\\]+)? \\", first), first
        assert lines
        assert all(re.fullmatch(r" +--hash=sha256:[0-9a-f]{64}( \\)?", line) for line in lines)
    assert "://" not in text
