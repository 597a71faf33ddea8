"""Test studies on a real head with a token: submitted, refused, repeated, without leaks."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import ray  # noqa: F401  brings psutil
import requests
from buckets import BUCKET, Bucket, s3_server
from ports import folder_of_a_ray, free_port

from jobs.cli.main import main
from jobs.execution.auth_token import keep_private
from scaling.store.store import Store

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SECRETS = {  # of the head and of whoever submits: none of them may be seen anywhere
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI-of-the-bucket",
    "MY_PASSWORD": "correct-horse-battery",
}
S3 = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_EC2_METADATA_DISABLED": "true"}


@dataclass(frozen=True)
class Cluster:
    """A head of our own, the home of its user and the bucket that it may write to."""

    url: str
    home: Path
    session: Path  # where Ray writes its logs
    pid: int
    bucket: Bucket

    @property
    def token(self) -> Path:
        return self.home / ".ray" / "auth_token"

    def env(self, **changes: str | None) -> dict[str, str]:
        """Of the user, who has the token in a file and the secrets in the environment.

        None takes a variable out.
        """
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "AWS_"))}
        ours = {"HOME": str(self.home), "RAY_AUTH_MODE": "token", "NUMBA_NUM_THREADS": "1"}
        path = f"{BIN}{os.pathsep}{kept['PATH']}"
        every = kept | ours | S3 | SECRETS | {"PATH": path} | changes
        return {name: value for name, value in every.items() if value is not None}

    def run(self, *words: object, cwd: Path, **env: str | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(word) for word in words],
            cwd=cwd,
            env=self.env(**env),
            capture_output=True,
            text=True,
        )

    def submit(
        self, *words: object, cwd: Path, **env: str | None
    ) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-c", "from jobs.cli.main import entry; entry()", "submit")
        python_path = {"PYTHONPATH": str(ROOT)}
        return self.run(*command, *words, "--address", self.url, cwd=cwd, **python_path, **env)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """`ray start --head` with RAY_AUTH_MODE=token, as a user of this home would."""
    home = tmp_path_factory.mktemp("home")
    port, dashboard, agent = free_port(), free_port(), free_port()
    url = f"http://127.0.0.1:{dashboard}"
    with s3_server() as bucket, folder_of_a_ray() as short:
        new = Cluster(url, home, Path(short) / "ray/session_latest", 0, bucket)
        env = {k: v for k, v in new.env().items() if not k.startswith("SCALING_")}
        # Workers are not to starve on a crowded machine.
        env |= {"RAY_TMPDIR": short, "RAY_worker_niceness": "0"}
        make = [BIN / "ray", "get-auth-token", "--generate"]
        subprocess.run(make, env=env, check=True, capture_output=True)
        start = [BIN / "ray", "start", "--head", "--block", "--num-cpus=2", f"--port={port}"]
        start += [f"--dashboard-port={dashboard}", f"--dashboard-agent-listen-port={agent}"]
        start += ["--object-store-memory=80000000", "--disable-usage-stats"]
        said = home / "head.log"
        with (
            said.open("wb") as log,
            subprocess.Popen(start, env=env, stdout=log, stderr=log, cwd=home) as head,
        ):
            try:
                deadline = time.monotonic() + 240
                while not (answers(url) and answers(f"http://127.0.0.1:{agent}")):
                    assert head.poll() is None, said.read_text()
                    assert time.monotonic() < deadline
                    time.sleep(0.3)
                yield Cluster(url, home, new.session, head.pid, bucket)
            finally:
                head.send_signal(signal.SIGTERM)
                head.wait(60)


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/api/version", timeout=5).status_code > 0
    except requests.RequestException:
        return False


@pytest.fixture
def grid(tiny_npz: Path) -> list[str]:
    sizes = ["30", "60", "120", "240"]
    grid = ["--dataset", str(tiny_npz), "--n-train", *sizes, "--epochs", "2", "--seeds", "2"]
    return [*grid, "--cpus", "1", "--engine", "reference"]  # little to start, nothing to compile


def is_complete(out: str | Path, models: int) -> bool:
    store = Store(out)
    (plan,) = store.read_plans().values()
    counts = store.state().count(plan)
    rows = store.read("metrics", ["run_id", "epoch", "epochs"]).table.to_pylist()
    last = [row["run_id"] for row in rows if row["epoch"] == row["epochs"]]
    return counts["finished"] == counts["cells"] > 0 and len(last) == len(set(last)) == models


def test_without_the_token_it_is_one_line(cluster: Cluster, tmp_path: Path) -> None:
    done = cluster.submit("quickstart", cwd=tmp_path, RAY_AUTH_MODE="disabled")
    assert done.returncode == 2
    assert "wants a token (401)" in done.stderr
    assert "RAY_AUTH_TOKEN_PATH" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not done.stdout


def test_with_the_token_a_study_is_trained_and_again_has_nothing_to_do(
    cluster: Cluster, grid: list[str], tmp_path: Path
) -> None:
    """The file of the token is made private on the way, and read without RAY_AUTH_MODE too."""
    cluster.token.chmod(0o644)
    grid = [*grid[:2], "--n-train", "30", *grid[7:]]
    done = cluster.submit("quickstart", *grid, "--wait", cwd=tmp_path, RAY_AUTH_MODE=None)
    assert done.returncode == 0, done.stdout + done.stderr
    assert stat.S_IMODE(cluster.token.stat().st_mode) == 0o600
    assert "it is 0600 now" in done.stderr
    assert is_complete(tmp_path / "results" / "quickstart", 4)
    again = cluster.submit("quickstart", *grid, "--wait", cwd=tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "(attempt 2 after succeeded)" in again.stdout
    assert "nothing to train" in again.stdout
    assert "0600" not in again.stderr


@pytest.mark.slow
def test_a_file_of_ones_own_travels_and_what_fails_is_exit_status_1(
    cluster: Cluster, tiny_npz: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(
        "from scaling.study import Grid, Study\n"
        f"grid = Grid(dataset=({str(tiny_npz)!r},), n_train=(30,), recipe=('1989',),"
        " epochs=(2,), seeds=(0,), lr=1e38)\n"
        "STUDY = Study(name='mine', question='?', grids=(grid,))\n"
    )
    done = cluster.submit("mine.py", "--wait", "--out", "here", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "failed (numeric)" in done.stdout
    assert len(list((tmp_path / "here" / "failures").iterdir())) == 1


def test_a_plain_ray_job_fills_a_bucket_that_is_read_from_anywhere(
    cluster: Cluster,
    grid: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Then, without Ray: its state, its report, and what larger sizes would give."""
    uri = cluster.bucket.uri("study")
    job = ["ray", "job", "submit", "--address", cluster.url, "--working-dir", ROOT, "--"]
    sweep = ["python", "-m", "jobs.sweep", "quickstart", *grid, "--out", uri]
    done = cluster.run(*job, *sweep, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for name, value in (S3 | SECRETS).items():
        monkeypatch.setenv(name, value)
    assert is_complete(uri, 16)
    assert main(["status", uri, "--watch"]) == 0
    assert "8 cells, 8 finished, 0 failed, 0 missing; 16 of 16 models" in capsys.readouterr().out
    assert main(["report", uri]) == 0
    assert f"s3://{BUCKET}/study/report.html" in capsys.readouterr().out
    larger = [*grid[:2], "--n-train", "280", *grid[7:11]]
    assert main(["predict", uri, "--study", "quickstart", *larger]) == 0
    stored = cluster.bucket.objects()
    assert "study/report.html" in stored
    assert [name for name in stored if name.startswith("study/forecasts/")]
    ours = [name.removeprefix("study/") for name in stored if name.startswith("study/")]
    leaked = [name for name in ours if secret_in(Store(uri).read_file(name) or b"")]
    assert not leaked


def test_no_secret_is_in_rows_or_logs_and_only_loopback_is_listened_to(cluster: Cluster) -> None:
    """After the jobs of the other tests, whose head has the keys in its own environment."""
    import psutil  # Ray brings it, once it is imported

    logs = [path for path in (cluster.session / "logs").rglob("*") if path.is_file()]
    jobs = [path for path in logs if path.name.startswith(("job-driver-", "worker-"))]
    assert any(path.stat().st_size for path in jobs)
    token = cluster.token.read_bytes()
    assert not [path for path in logs if secret_in(path.read_bytes())]
    assert not [path for path in logs if token in path.read_bytes()]
    port = int(cluster.url.rpartition(":")[2])
    hosts = {
        connection.laddr.ip
        for process in psutil.Process(cluster.pid).children(recursive=True)
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    }
    assert hosts == {"127.0.0.1"}


def secret_in(body: bytes) -> bool:
    return any(secret.encode() in body for secret in SECRETS.values())


def test_a_token_that_others_can_read_is_made_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "token"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    keep_private()
    path.write_text("t")
    path.chmod(0o640)
    keep_private()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "mode 0640" in capsys.readouterr().err
    keep_private()
    assert capsys.readouterr().err == ""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    path.chmod(0o644)
    monkeypatch.setattr(Path, "chmod", refuse)
    keep_private()
    assert "chmod 600 it" in capsys.readouterr().err
