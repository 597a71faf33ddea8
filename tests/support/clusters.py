"""Read the cluster files for `ray up`, one a file, and the pinned versions."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CLUSTERS = ROOT / "jobs" / "clusters"
OWN = "machines"
FILES = {
    "aws": ROOT / "cluster.yaml",
    **{name: CLUSTERS / f"{name}.yaml" for name in ("gcp", "azure", OWN)},
}
CLOUDS = tuple(name for name in FILES if name != OWN)


def read(name: str) -> dict[str, Any]:
    """Return the cluster of that name as `ray up` reads its file."""
    config: dict[str, Any] = yaml.safe_load(FILES[name].read_text(encoding="utf-8"))
    return config


def pinned(package: str) -> str:
    """Return the version in constraints.txt."""
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    found = re.search(rf"^{package}==(\S+)$", pins, flags=re.MULTILINE)
    assert found, f"{package} is not pinned"
    return found[1]
