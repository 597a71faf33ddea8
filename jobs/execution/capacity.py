"""What a cluster has for trials, or could have: asked before anything is started.

A request that no node will ever meet waits for ever and says nothing (measured, Ray 2.60).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import ray
import yaml
from ray.exceptions import RayError

from jobs.execution import connect
from jobs.planning.batches import Slots
from scaling.errors import InputError
from scaling.store.store import Store

Amounts = Mapping[str, float]
ASK_S = 60.0  # assumed: for a task on a head that has to start a process


def slots(device: str, cpus: int | None = None, could: Amounts = MappingProxyType({})) -> Slots:
    """The room for trials on `device`, with what the cluster `could` have; `auto` is on both kinds.

    Raises InputError where the cluster has no such device and no autoscaler that adds one.
    """
    has = ray.cluster_resources()
    cpu, gpu = (int(max(has.get(kind, 0), could.get(kind, 0))) for kind in ("CPU", "GPU"))
    if device == "cuda" and not gpu:
        raise InputError(
            f"device cuda: the cluster has {has.get('CPU', 0):g} CPUs and no GPU, and no"
            " autoscaler that could add one; use --device cpu or join a cluster with GPUs"
            " (--address)"
        )
    if device == "cpu" and not cpu:
        raise InputError("the cluster has no CPU for trials: add a worker node and try again")
    if not (cpu or gpu):
        raise InputError("the cluster has neither CPU nor GPU for trials: add a worker node")
    cpu = min(cpus or cpu, cpu)
    return Slots(cpu=cpu if device != "cuda" else 0, gpu=gpu if device != "cpu" else 0)


def room(device: str, cpus: int | None, store: Store, shared_fs: bool) -> Slots:
    """The room for trials that write to this store, with what an autoscaler would add.

    Raises InputError where there is none, or where other nodes would not see the store's folder.
    """
    could = promised()
    connect.check_shared(store.out, store.is_local, shared_fs, grows=bool(could))
    return slots(device, cpus, could)


def promised() -> Amounts:
    """The most that the cluster's autoscaler would bring up, by Ray's names; nothing without one.

    Ray's second autoscaler says it by itself (hence a private function); of the first, only the
    file is known that it was started with, which lies on the head.
    """
    from ray._private.state import state

    if (said := state.get_max_resources_from_cluster_config()) is not None:
        return said
    if not _autoscaler():
        return {}
    ask = ray.remote(num_cpus=0, resources={"node:__internal_head__": 0.001})(_at_head)
    try:
        told: dict[str, float] = ray.get(
            ask.remote(ray.get_runtime_context().gcs_address), timeout=ASK_S
        )
    except RayError:  # it is only less that we know
        return {}
    return told


def _autoscaler() -> bool:
    """Whether there is one of the first kind; without a configuration it only mirrors the nodes."""
    from ray._private.ray_constants import DEBUG_AUTOSCALING_STATUS
    from ray.experimental.internal_kv import _internal_kv_get

    status = json.loads(_internal_kv_get(DEBUG_AUTOSCALING_STATUS) or "{}")
    report = status.get("autoscaler_report") or {}
    kinds = (report.get(which) or {} for which in ("active_nodes", "idle_nodes"))
    return any(not name.startswith("node_") for kind in kinds for name in kind)


def _at_head(gcs_address: str) -> dict[str, float]:
    """On the head: what the configuration of this cluster's autoscaler adds up to."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = command.read_text(encoding="utf-8", errors="replace").split("\0")
        except OSError:  # it has ended meanwhile
            continue
        options = dict(
            word.split("=", 1) for word in words if word.startswith("--") and "=" in word
        )
        path = options.get("--autoscaling-config")
        if path and options.get("--gcs-address") == gcs_address:
            return most(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    return {}


def most(config: Mapping[str, Any]) -> dict[str, float]:
    """What all workers of a cluster's configuration would have together."""
    left, total = config.get("max_workers", 2), dict[str, float]()  # Ray's default
    for name, kind in config.get("available_node_types", {}).items():
        if name == config.get("head_node_type"):
            continue
        count = min(kind.get("max_workers", 0), left)
        for resource, amount in kind.get("resources", {}).items():
            total[resource] = total.get(resource, 0) + count * amount
    return total
