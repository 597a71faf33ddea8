"""Lay a record of each kind beside the models of a results folder."""

from typing import Any

from scaling.store.store import Store, now


def add_records(store: Store) -> None:
    """Write a record of a sweep, a forecast of a planned cell, and two speeds of a benchmark."""
    cell = next(iter(store.read_plans().values()))["cells"][0]
    forecast = {name: cell[name] for name in ("cell_id", "n_train", "dataset", "width")}
    forecast |= {"recipe": cell["recipe"]["name"], "epochs": 3, "made_at": now().isoformat()}
    forecast |= {"error": 0.5, "low": 0.2, "high": 0.9, "level": 0.9, "fitted_n_train": [60, 90]}
    store.write_json("forecasts/x.json", forecast)
    sweep: dict[str, Any] = {"study": "x", "device": "cpu", "cpus": 2, "gpus": 0, "trials": 1}
    sweep |= {"models": 4, "predicted_wall_s": 1.0, "wall_s": 2.0, "started_at": now().isoformat()}
    store.write_json("runs/x.json", sweep)
    speed: dict[str, Any] = {"engine": "compiled", "recipe": "1989", "width": 1, "us": 30.0}
    speed |= {"us_range": [29.0, 31.0], "loop_us": 31.0, "ratio": 9.0}
    speed |= {"floor_us": None, "floor_ratio": None}
    store.write_json("bench.json", [speed, speed | {"engine": "reference"}])
