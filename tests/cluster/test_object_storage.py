"""Results in a bucket, on a real S3 server: whole objects, resuming, a report, mistakes."""

import json
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from buckets import BUCKET, Bucket, s3_server
from small_runs import fill

from jobs.cli.main import main
from scaling.errors import InputError
from scaling.store import places, retries
from scaling.store.files import Files, WriteError
from scaling.store.store import Store


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with s3_server() as bucket:
        yield bucket


@pytest.fixture
def bucket(server: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The server with keys in the environment, in good health."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_EC2_METADATA_DISABLED": "true",  # never ask beyond loopback
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(retries, "WAITS_S", ())
    server.refuse = None
    return server


def run(*words: object) -> int:
    return main([str(word) for word in words])


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert run(*words) == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1, error
    assert "Traceback" not in error
    return error


def test_a_bucket_holds_what_a_folder_would(
    bucket: Bucket, tiny_npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = bucket.uri("by-hand")
    words = ["train", "--dataset", tiny_npz, "--n-train", "40", "--epochs", "2", "--seeds", "2"]
    assert run(*words, "--out", tmp_path / "out") == 0
    assert run(*words, "--out", uri) == 0
    assert set(bucket.objects()) >= {
        f"by-hand/{path.relative_to(tmp_path / 'out')}" for path in (tmp_path / "out").glob("*/*.*")
    }
    there, here = (Store(out).read("metrics").table for out in (uri, tmp_path / "out"))
    same = ["run_id", "epoch", "train_loss", "test_misses"]
    assert there.select(same).equals(here.select(same))
    capsys.readouterr()
    assert run("status", uri, "--json") == 0
    assert json.loads(capsys.readouterr().out)["finished"] == 1


def test_a_bucket_is_verified_and_nothing_is_written_to_it(
    bucket: Bucket, tiny_npz: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = bucket.uri("verified")
    words = ["train", "--dataset", tiny_npz, "--n-train", "40", "--epochs", "2", "--seeds", "2"]
    assert run(*words, "--out", uri) == 0
    bucket.asked.clear()
    capsys.readouterr()
    assert run("verify", uri, "--json", "--data", tiny_npz) == 0
    assert len(json.loads(capsys.readouterr().out)["equal"]) == 2
    assert {line.split()[0] for line in bucket.asked} <= {"GET", "HEAD"}


def test_the_report_goes_beside_the_results_or_where_html_says(
    bucket: Bucket, tiny_npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = bucket.uri("reported")
    words = ["train", "--dataset", tiny_npz, "--n-train", "40", "--epochs", "2", "--out", uri]
    assert run(*words) == 0
    capsys.readouterr()
    assert run("report", uri) == 0
    names = ["report.html", "report.md", "numbers.json"]
    assert capsys.readouterr().out.split() == [f"s3://{BUCKET}/reported/{name}" for name in names]
    assert {f"reported/{name}" for name in names} <= set(bucket.objects())
    assert run("report", uri, "--html", tmp_path / "page.html") == 0
    assert "</html>" in (tmp_path / "page.html").read_text()


def test_an_endpoint_may_be_named_in_the_environment(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{bucket.endpoint}")
    monkeypatch.setenv("AWS_REGION", "us-east-1")  # else it is asked of Amazon
    Store(f"s3://{BUCKET}/named").write_file("a/b.txt", b"whole")
    assert bucket.objects()["named/a/b.txt"] == 5


def test_a_small_file_is_one_request(bucket: Bucket) -> None:
    """Also the first of a folder, as each batch opens the results anew."""
    store = Store(bucket.uri("small"))
    bucket.asked.clear()
    store.write_file("a/first.txt", b"x")
    store.write_file("b/second.txt", b"x")
    asked = [line.split()[0] for line in bucket.asked if "extremelyunlikely" not in line]
    assert asked == ["PUT", "PUT"]  # beside pyarrow's own question for the region


def test_ctrl_c_in_the_middle_of_an_upload_leaves_no_half_object(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyarrow completes an upload that an exception of Python's leaves, with what was written."""
    files = Files(bucket.uri("cut"))
    opened = threading.Event()

    def slowly(self: places.Bucket, path: str, body: bytes) -> None:
        with self._fs.open_output_stream(path) as stream:
            stream.write(body[:5])
            opened.set()
            time.sleep(0.3)
            stream.write(body[5:])

    def interrupt() -> None:
        opened.wait(10)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(places.Bucket, "_upload", slowly)
    other = threading.Thread(target=interrupt)
    # A shell has its background commands ignore Ctrl-C, and so would these tests there.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        other.start()
        with pytest.raises(KeyboardInterrupt):
            files.write("a.bin", b"0123456789")
        other.join()
    finally:
        signal.signal(signal.SIGINT, before)
    for _ in range(100):  # a Ctrl-C while the thread starts does not wait for it
        if "cut/a.bin" in bucket.objects():
            break
        time.sleep(0.1)
    assert bucket.objects()["cut/a.bin"] == 10


def test_an_upload_that_fails_half_way_leaves_what_was_there(bucket: Bucket) -> None:
    files = Files(bucket.uri("broken"))
    files.write("a.bin", b"old")
    large = pa.py_buffer(bytes(25 * 2**20))  # three parts
    bucket.refuse = ("partNumber=2", 403, "AccessDenied")
    for name in ("a.bin", "new.bin"):
        with pytest.raises(WriteError, match="ACCESS_DENIED"):
            files.write(name, large)
    bucket.refuse = None
    assert files.read("a.bin") == b"old"
    assert "broken/new.bin" not in bucket.objects()


@pytest.mark.parametrize("command", ["status", "report", "fit", "sweep"])
def test_a_bucket_that_cannot_be_used_is_one_line(
    bucket: Bucket, tiny_npz: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    def words(uri: str) -> list[object]:
        grid = ["--dataset", tiny_npz, "--n-train", "30", "--epochs", "1"]
        return (
            ["sweep", "quickstart", *grid, "--out", uri] if command == "sweep" else [command, uri]
        )

    assert "no-such-bucket" in refused(capsys, *words(bucket.uri("x", "no-such-bucket")))
    bucket.refuse = (" ", 403, "InvalidAccessKeyId")
    said = refused(capsys, *words(bucket.uri("x")))
    assert "ACCESS_DENIED" in said or "INVALID_ACCESS_KEY_ID" in said


def test_a_server_that_is_not_there_is_one_line(
    bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = bucket.uri("x").replace(bucket.endpoint, "127.0.0.1:9")
    said = refused(capsys, "status", nobody)
    assert "cannot be looked at" in said
    assert "AWS_ENDPOINT_URL" in said


def test_keys_in_a_uri_are_refused_and_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["status"], ["sweep", "quickstart", "--out"], ["submit", "quickstart", "--out"]):
        said = refused(capsys, *words, "s3://AKIA123:topsecret@bucket/path")
        assert "AWS_SECRET_ACCESS_KEY" in said
        assert "topsecret" not in said
        assert "AKIA123" not in said
    with pytest.raises(InputError, match="holds a key"):
        Store("abfs://account:key@container/path")


@pytest.mark.parametrize("fault", ["busy", "reset", "reset after"])
def test_a_bucket_that_fails_now_and_then_can_be_written(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """S3's client tries each request three times; we try again after that."""
    monkeypatch.setattr(retries, "WAITS_S", (0.0, 0.0))
    left = [fault] * 5
    bucket.fault = lambda line: left.pop() if left and "PUT" in line else None
    Store(bucket.uri(f"now-and-then-{fault.replace(' ', '-')}")).check_writable()
    assert not left


def test_a_bucket_that_fails_now_and_then_is_read_however_many_files_it_has(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The AWS SDK has an allowance of retries for a process, which was used up after a hundred."""
    store = fill(bucket.uri("many"), seeds=tuple(range(40)))
    monkeypatch.setattr(retries, "WAITS_S", (0.1, 0.2, 0.4))
    luck = random.Random(0)
    bucket.fault = lambda _: luck.choice(("busy", "reset")) if luck.random() < 0.3 else None
    try:
        contents = store.contents()
    finally:
        bucket.fault = lambda _: None
    assert contents.corrupt == ()
    assert len(contents.state.finished) == 160
