"""jobs/clusters/kuberay.yaml: its fields, its groups, and that they are those of cluster.yaml."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema  # Ray's own dependency
import pytest
import yaml
from clusters import CLUSTERS, ROOT, pinned, read

QUANTITY = {"type": "string", "pattern": r"^[0-9]+(m|Mi|Gi)?$"}


def closed(required: list[str], optional: list[str] | None = None, **known: Any) -> dict[str, Any]:
    """An object with these fields and no others."""
    anything = {name: {} for name in [*required, *(optional or [])]}
    return {
        "type": "object",
        "required": required,
        "properties": anything | known,
        "additionalProperties": False,
    }


AMOUNTS = closed(["cpu", "memory"], **{"nvidia.com/gpu": QUANTITY}, cpu=QUANTITY, memory=QUANTITY)
RESOURCES = closed(["requests", "limits"], requests=AMOUNTS, limits=AMOUNTS)
CONTAINER = closed(["name", "image", "resources"], ["env"], resources=RESOURCES)
POD = closed(
    ["spec"],
    spec=closed(
        ["containers"],
        ["nodeSelector", "serviceAccountName"],
        containers={"type": "array", "items": CONTAINER, "minItems": 1, "maxItems": 1},
        tolerations={
            "type": "array",
            "items": closed(["key", "effect"], ["operator", "value"]),
        },
    ),
)
STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
COUNT = {"type": "integer", "minimum": 0}
# cited: ray-operator/apis/ray/v1/raycluster_types.go of KubeRay, as far as it is used here
SCHEMA = closed(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayCluster"},
    metadata=closed(["name"]),
    spec=closed(
        ["rayVersion", "headGroupSpec", "workerGroupSpecs"],
        rayVersion={"type": "string"},
        enableInTreeAutoscaling={"const": True},
        authOptions=closed(["mode"], mode={"const": "token"}),
        autoscalerOptions=closed(["idleTimeoutSeconds"], resources=RESOURCES),
        headGroupSpec=closed(
            ["rayStartParams", "template"],
            serviceType={"const": "ClusterIP"},
            rayStartParams=STRINGS,
            template=POD,
        ),
        workerGroupSpecs={
            "type": "array",
            "items": closed(
                ["groupName", "replicas", "minReplicas", "maxReplicas"],
                replicas=COUNT,
                minReplicas=COUNT,
                maxReplicas=COUNT,
                rayStartParams=STRINGS,
                template=POD,
            ),
        },
    ),
)


@pytest.fixture
def cluster() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CLUSTERS / "kuberay.yaml").read_text())
    return found


@pytest.fixture
def groups(cluster: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {group["groupName"]: group for group in cluster["spec"]["workerGroupSpecs"]}


def containers(cluster: dict[str, Any]) -> Iterator[dict[str, Any]]:
    spec = cluster["spec"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        yield from group["template"]["spec"]["containers"]


def test_its_fields_are_those_of_a_ray_cluster(cluster: dict[str, Any]) -> None:
    jsonschema.validate(cluster, SCHEMA)
    cluster["spec"]["workerGroupSpecs"][0]["minReplica"] = 1
    with pytest.raises(jsonschema.ValidationError, match="minReplica"):
        jsonschema.validate(cluster, SCHEMA)


def test_its_groups_are_those_of_cluster_yaml(
    cluster: dict[str, Any], groups: dict[str, dict[str, Any]]
) -> None:
    machines = read("aws")
    types = machines["available_node_types"]
    assert ["head", *groups] == list(types)
    for name, group in groups.items():
        assert group["minReplicas"] == types[name]["min_workers"]
        assert group["maxReplicas"] == types[name]["max_workers"]
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    idle = cluster["spec"]["autoscalerOptions"]["idleTimeoutSeconds"]
    assert idle == 60 * machines["idle_timeout_minutes"]


def test_ray_is_of_the_pinned_version_everywhere(cluster: dict[str, Any]) -> None:
    assert cluster["spec"]["rayVersion"] == pinned("ray")
    tags = {container["image"].rsplit(":", 1)[1] for container in containers(cluster)}
    assert tags == {f"ray-{pinned('ray')}"}
    guide = (ROOT / "docs" / "cluster.md").read_text()
    assert set(re.findall(r"rayproject/ray:([\d.]+)", guide)) == {pinned("ray")}
    assert set(re.findall(r"scaling-study:ray-([\d.]+)\b", guide)) == {pinned("ray")}


def test_the_head_does_no_work_and_listens_to_itself(cluster: dict[str, Any]) -> None:
    start = cluster["spec"]["headGroupSpec"]["rayStartParams"]
    assert start == {"num-cpus": "0", "dashboard-host": "127.0.0.1"}


def test_pods_ask_for_what_they_may_use(
    cluster: dict[str, Any], groups: dict[str, dict[str, Any]]
) -> None:
    for container in containers(cluster):
        assert container["resources"]["requests"] == container["resources"]["limits"]
    gpus = {
        name: group["template"]["spec"]["containers"][0]["resources"]["limits"].get(
            "nvidia.com/gpu"
        )
        for name, group in groups.items()
    }
    assert gpus == {"cpu": None, "gpu-spot": "1"}
