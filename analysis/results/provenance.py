"""Where, by what and at what cost models were trained."""

from typing import Any

import pandas as pd


def methods(models: pd.DataFrame) -> dict[str, Any]:
    """Where, by what and at what cost the models were trained."""
    versions: dict[str, list[str]] = {}  # several, where models of different days are together
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
