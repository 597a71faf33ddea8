"""cluster.yaml and jobs/clusters: Ray's own checks of each file, and what those let through."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import botocore.session
import botocore.validate
import pytest
import ray.autoscaler
from clusters import CLOUDS, FILES, OWN, ROOT, pinned, read
from ray.autoscaler._private.command_runner import _with_interactive
from ray.autoscaler._private.util import prepare_config, validate_config

# cited: the vendors' pages of machine types; (cores, GPUs)
MACHINES = {
    "m7i.large": (2, 0),
    "c7a.4xlarge": (16, 0),
    "g6.2xlarge": (8, 1),
    "n2-standard-2": (2, 0),
    "n2-standard-16": (16, 0),
    "n1-standard-8": (8, 0),  # its GPU is attached
    "Standard_D2s_v5": (2, 0),
    "Standard_F16s_v2": (16, 0),
    "Standard_NC8as_T4_v3": (8, 1),
}
# cited: the fields of a Compute Engine instance, API v1, that a node may need
GCP_FIELDS = {
    "disks",
    "guestAccelerators",
    "labels",
    "machineType",
    "metadata",
    "networkInterfaces",
    "scheduling",
    "serviceAccounts",
    "tags",
}
COMMANDS = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
)


@pytest.fixture(params=CLOUDS)
def cloud(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def config(cloud: str) -> dict[str, Any]:
    return read(cloud)


@pytest.fixture(params=FILES)
def anywhere(request: pytest.FixtureRequest) -> dict[str, Any]:
    return read(str(request.param))


@pytest.fixture
def types(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = config["available_node_types"]
    return found


def commands(config: dict[str, Any]) -> list[str]:
    return [command for key in COMMANDS for command in config.get(key, [])]


def is_spot(node: dict[str, Any]) -> bool:
    """Return whether a machine may be taken away, in the words of any of the three clouds."""
    return (
        node.get("InstanceMarketOptions", {}).get("MarketType") == "spot"
        or {"preemptible": True} in node.get("scheduling", [])
        or node.get("azure_arm_parameters", {}).get("priority") == "Spot"
    )


def test_ray_accepts_it(config: dict[str, Any], cloud: str) -> None:
    assert config["provider"]["type"] == cloud
    validate_config(prepare_config(config))


@pytest.mark.parametrize("count", [2, 12])
def test_ray_accepts_it_on_machines_of_ones_own(count: int) -> None:
    config = read(OWN)
    provider = config["provider"]
    assert provider["type"] == "local"
    provider |= {"head_ip": "host", "worker_ips": [f"host{i}" for i in range(count)]}
    prepared = prepare_config(config)
    validate_config(prepared)
    (kind,) = prepared["available_node_types"].values()
    assert (kind["min_workers"], kind["max_workers"]) == (count, count)  # all, all the time


def test_ray_finds_a_field_that_it_does_not_know(config: dict[str, Any]) -> None:
    """The test above can fail."""
    config["available_node_types"]["cpu"]["min_worker"] = 1
    with pytest.raises(Exception, match="min_worker"):
        validate_config(prepare_config(config))


def test_the_numbers_of_workers_are_possible(
    config: dict[str, Any], types: dict[str, dict[str, Any]]
) -> None:
    workers = {name: kind for name, kind in types.items() if name != config["head_node_type"]}
    assert set(workers) == {"cpu", "gpu-spot"}
    for kind in workers.values():
        assert 0 <= kind["min_workers"] <= kind["max_workers"]
        assert kind["max_workers"] > 0
    assert sum(kind["min_workers"] for kind in workers.values()) <= config["max_workers"]
    assert sum(kind["max_workers"] for kind in workers.values()) == config["max_workers"]
    assert config["idle_timeout_minutes"] > 0


def test_the_head_does_no_work(config: dict[str, Any], types: dict[str, dict[str, Any]]) -> None:
    head = types[config["head_node_type"]]
    assert head["resources"] == {"CPU": 0}
    assert head["max_workers"] == 0


def test_only_the_gpu_group_has_gpus_and_may_be_taken_away(
    types: dict[str, dict[str, Any]],
) -> None:
    assert [name for name, kind in types.items() if kind["resources"].get("GPU")] == ["gpu-spot"]
    assert [name for name, kind in types.items() if is_spot(kind["node_config"])] == ["gpu-spot"]


def test_groups_offer_what_their_machines_have(types: dict[str, dict[str, Any]]) -> None:
    for name, kind in types.items():
        node = kind["node_config"]
        arm = node.get("azure_arm_parameters", {})
        cores, gpus = MACHINES[
            node.get("InstanceType") or node.get("machineType") or arm.get("vmSize")
        ]
        gpus += sum(one["acceleratorCount"] for one in node.get("guestAccelerators", []))
        if name != "head":
            assert kind["resources"].get("CPU") == cores
        assert kind["resources"].get("GPU", 0) == gpus


def test_clouds_know_the_fields_of_their_machines(
    cloud: str, types: dict[str, dict[str, Any]]
) -> None:
    for kind in types.values():
        node = kind["node_config"]
        if cloud == "aws":  # as boto3 would, before it asks
            model = botocore.session.get_session().get_service_model("ec2")
            shape = model.operation_model("RunInstances").input_shape
            request = node | {"MinCount": 1, "MaxCount": 1}
            report = botocore.validate.ParamValidator().validate(request, shape)
            assert not report.has_errors(), report.generate_report()
        elif cloud == "azure":
            folder = Path(ray.autoscaler.__file__).parent / "_private" / "_azure"
            template = json.loads((folder / "azure-vm-template.json").read_text())
            assert node["azure_arm_parameters"].keys() <= template["parameters"].keys()
        else:
            assert node.keys() <= GCP_FIELDS


def test_what_is_copied_exists_and_is_what_pip_needs(anywhere: dict[str, Any]) -> None:
    token = "~/.ray/auth_token"
    mounts: dict[str, str] = anywhere["file_mounts"]
    assert mounts[token] == token
    copied = {local for local in mounts.values() if local != token}
    for local in copied:
        assert (ROOT / local).exists(), local
        assert mounts[f"~/scaling-study/{local}"] == local
    needed = {"scaling", "jobs", "analysis", "pyproject.toml", "README.md", "LICENSE"}
    assert copied == needed | {"constraints.txt"}
    for command in commands(anywhere):
        for path in re.findall(r"~/scaling-study/(\S+)", command):
            assert path in copied, command


def test_every_install_is_pinned(anywhere: dict[str, Any]) -> None:
    """By constraints.txt or in the command; Ray has one version everywhere."""
    assert pinned("ray") == ray.__version__
    installs = [command for command in commands(anywhere) if "pip install" in command]
    own = anywhere["provider"]["type"] != "local"  # of a cloud, on its head
    assert len(installs) == 2 + own  # torch, the project
    for command in installs:
        assert "-c ~/scaling-study/constraints.txt" in command
        named = command.split("constraints.txt", 1)[1].split()
        for package in (word for word in named if word[0].isalpha() and "://" not in word):
            assert "==" in package or pinned(package), command


def test_only_who_has_the_token_gets_in(anywhere: dict[str, Any]) -> None:
    setup: list[str] = anywhere["setup_commands"]
    assert "chmod 600 ~/.ray/auth_token" in setup[0]
    assert any("export RAY_AUTH_MODE=token" in command for command in setup)
    assert any(">> ~/.bashrc" in command for command in setup)
    starts = [command for command in anywhere["head_start_ray_commands"] if "--head" in command]
    assert len(starts) == 1
    assert "--dashboard-host=127.0.0.1" in starts[0]
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in starts[0]
    for command in commands(anywhere):
        assert "0.0.0.0" not in command
        assert "RAY_AUTH_TOKEN" not in command  # it would be seen by `ps`


def test_commands_are_bash(anywhere: dict[str, Any]) -> None:
    for command in commands(anywhere):
        line = " ".join(_with_interactive(command))  # as Ray sends it through ssh
        words = ["bash", "-c", line.replace("bash --login -c -i", "bash -n -c", 1)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.mark.parametrize("has_gpu", [True, False])
def test_only_nodes_without_a_gpu_get_the_small_torch(tmp_path: Path, has_gpu: bool) -> None:
    (command,) = (each for each in read("aws")["setup_commands"] if "nvidia-smi" in each)
    for name, line in {"nvidia-smi": f"exit {0 if has_gpu else 9}", "pip": 'echo "pip $*"'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-c", command], env=env, capture_output=True, text=True, check=True
    )
    small = "--index-url https://download.pytorch.org/whl/cpu torch\n"
    assert done.stdout.endswith("" if has_gpu else small)
    assert bool(done.stdout) is not has_gpu
