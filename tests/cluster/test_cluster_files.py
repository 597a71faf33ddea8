"""cluster.yaml and the files of jobs/clusters: they copy and install the same, from the root."""

import re
from pathlib import Path
from unittest.mock import Mock

import pytest
from clusters import CLUSTERS, FILES, OWN, ROOT, read
from ray.autoscaler._private.updater import NodeUpdater
from ray.autoscaler._private.util import prepare_config

# The keys in which a file may differ from cluster.yaml.
OF_A_CLOUD = {
    "provider",
    "auth",
    "available_node_types",
    "initialization_commands",
    "head_setup_commands",
}
OF_MACHINES = {"max_workers", "idle_timeout_minutes", "head_node_type"} | {
    "head_start_ray_commands",
    "worker_start_ray_commands",
}


def paragraphs(place: str) -> dict[str, str]:
    """Return the paragraphs of a file by their first keys, comments included."""
    found = {}
    for text in FILES[place].read_text(encoding="utf-8").split("\n\n"):
        key = re.search(r"^\w+(?=:)", text, flags=re.MULTILINE)
        assert key, text
        found[key[0]] = text.strip()
    return found


@pytest.fixture(params=FILES)
def place(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_file_is_tested() -> None:
    """kuberay.yaml has a test of its own."""
    tested = {path.name for path in FILES.values() if path.parent == CLUSTERS}
    assert {path.name for path in CLUSTERS.glob("*.y*ml")} == tested | {"kuberay.yaml"}


def test_the_places_share_all_but_their_machines(place: str) -> None:
    here = OF_A_CLOUD | (OF_MACHINES if place == OWN else set())
    aws, other = read("aws"), read(place)
    shared = {key for key in {*aws, *other} - here if aws.get(key) != other.get(key)}
    assert not shared
    ours, theirs = paragraphs("aws"), paragraphs(place)
    for key in {"file_mounts", "setup_commands", "head_start_ray_commands"} - here:
        assert theirs[key] == ours[key]


def test_ray_copies_from_the_folder_in_which_it_runs(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not from the folder of the file: `ray up jobs/clusters/gcp.yaml` from the root works."""
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    updater = NodeUpdater(
        "a node",
        provider_config={},
        provider=Mock(),
        auth_config={},
        cluster_name="",
        file_mounts=prepare_config(read(place))["file_mounts"],
        initialization_commands=[],
        setup_commands=[],
        ray_start_commands=[],
        runtime_hash="",
        file_mounts_contents_hash="",
        is_head_node=True,
    )
    copied = Mock()
    monkeypatch.chdir(ROOT)
    updater.sync_file_mounts(copied)
    sources = {Path(call.args[0]).resolve() for call in copied.call_args_list}
    assert {ROOT / "scaling", ROOT / "jobs", ROOT / "analysis", ROOT / "LICENSE"} <= sources
    monkeypatch.chdir(CLUSTERS)
    with pytest.raises(AssertionError):
        updater.sync_file_mounts(copied)
