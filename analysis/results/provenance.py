"""The provenance of models: machines, versions, commits and cost."""

from typing import Any

import pandas as pd


def training_provenance(models: pd.DataFrame) -> dict[str, Any]:
    """Return the machines, versions, commits and cost of models."""
    versions: dict[str, list[str]] = {}  # several for models of different days
    for name, value in dict.fromkeys(pair for row in models.get("versions", []) for pair in row):
        versions.setdefault(name, []).append(value)
    seeds = models.groupby("cell_id")["seed"].nunique() if len(models) else pd.Series([0])
    us = 1e6 * models["cpu_s"].sum() / max(models["examples_seen"].sum(), 1)
    return {
        "commits": sorted({c[:12] for c in models["git_commit"].dropna()}),
        "engines": sorted(set(models["engine"])),
        "devices": sorted(set(models["device"])),
        "machines": int(models["host"].nunique()),
        "versions": {name: ", ".join(sorted(values)) for name, values in versions.items()},
        "core_hours": models["cpu_s"].sum() / 3600,
        "us_per_example": us,
        "epochs": sorted({int(e) for e in models["epochs"]}),
        "seeds": [int(seeds.min()), int(seeds.max())],
        "first": str(models["created_at"].min())[:16] if len(models) else None,
        "last": str(models["created_at"].max())[:16] if len(models) else None,
    }
