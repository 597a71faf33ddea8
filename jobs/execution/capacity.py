"""Find the slots of a cluster, and those that its autoscaler could add, before any trial starts.

A request that no node will ever meet waits for ever without a message (measured, Ray 2.60).
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


def cluster_slots(
    device: str, cpus: int | None = None, could: Amounts = MappingProxyType({})
) -> Slots:
    """Return the slots for trials on `device`, of both kinds for `auto`.

    `could`: the most that an autoscaler would bring up.

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
    return Slots(cpu=cpu if device != "cuda" else 0, gpu=gpu if device != "cpu" else 0).most()


def available_slots(device: str, cpus: int | None, store: Store, shared_fs: bool) -> Slots:
    """Return the slots for trials that write to this store, with those of an autoscaler.

    Raises InputError where there are none, or where other nodes would not see the store's folder.
    """
    could = autoscaler_most()
    connect.check_shared(store.out, store.is_local, shared_fs, grows=bool(could))
    return cluster_slots(device, cpus, could)


def autoscaler_most() -> Amounts:
    """Return the most that the autoscaler would bring up, by Ray's names; nothing without one.

    Ray's second autoscaler has a function for it (hence a private function); of the first, only the
    file is known that it was started with, which lies on the head.
    """
    from ray._private.state import state

    if (found := state.get_max_resources_from_cluster_config()) is not None:
        return found
    if not _autoscaler():
        return {}
    ask = ray.remote(num_cpus=0, resources={"node:__internal_head__": 0.001})(_at_head)
    try:
        most: dict[str, float] = ray.get(
            ask.remote(ray.get_runtime_context().gcs_address), timeout=ASK_S
        )
    except RayError:  # then only the present nodes are known
        return {}
    return most


def _autoscaler() -> bool:
    """Tell whether one of the first kind runs; without a configuration it mirrors the nodes."""
    from ray._private.ray_constants import DEBUG_AUTOSCALING_STATUS
    from ray.experimental.internal_kv import _internal_kv_get

    status = json.loads(_internal_kv_get(DEBUG_AUTOSCALING_STATUS) or "{}")
    report = status.get("autoscaler_report") or {}
    kinds = (report.get(which) or {} for which in ("active_nodes", "idle_nodes"))
    return any(not name.startswith("node_") for kind in kinds for name in kind)


def _at_head(gcs_address: str) -> dict[str, float]:
    """Return, on the head, the most that the autoscaler's configuration allows."""
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
            return configured_most(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    return {}


def configured_most(config: Mapping[str, Any]) -> dict[str, float]:
    """Return the resources of all workers that a cluster's configuration allows."""
    left, total = config.get("max_workers", 2), dict[str, float]()  # Ray's default
    for name, kind in config.get("available_node_types", {}).items():
        if name == config.get("head_node_type"):
            continue
        count = min(kind.get("max_workers", 0), left)
        for resource, amount in kind.get("resources", {}).items():
            total[resource] = total.get(resource, 0) + count * amount
    return total
