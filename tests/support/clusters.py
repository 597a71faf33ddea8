"""cluster.yaml as a user of each cloud, or of none, would have it, and the Ray that is pinned."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CLOUDS = ("AWS", "GCP", "Azure")
OWN = "machines of your own"
_HEADING = re.compile(r"^# --- On ([\w ]+): .*\n", flags=re.MULTILINE)


def on(cloud: str) -> dict[str, Any]:
    """cluster.yaml with the sections at its end put in place of the ones of the same name."""
    written, *rest = _HEADING.split((ROOT / "cluster.yaml").read_text())
    config: dict[str, Any] = yaml.safe_load(written)
    sections = dict(zip(rest[::2], rest[1::2], strict=True))
    assert {"AWS", *sections} == {*CLOUDS, OWN}
    if cloud != "AWS":
        lines = sections[cloud].splitlines()
        config |= yaml.safe_load("\n".join(line.removeprefix("#") for line in lines))
    return config


def pinned(package: str) -> str:
    """The version in constraints.txt."""
    pins = (ROOT / "constraints.txt").read_text()
    found = re.search(rf"^{package}==(\S+)$", pins, flags=re.MULTILINE)
    assert found, f"{package} is not pinned"
    return found[1]
