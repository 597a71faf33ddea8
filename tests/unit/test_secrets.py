"""A password of an address stands in nothing that is written or printed."""

from pathlib import Path

import pytest

from jobs.cli.main import main
from scaling.data import download
from scaling.store.store import check_uri
from scaling.untrusted import without_secrets

SECRET = "s3cr3t-marked"
TRAIN = ["train", "--dataset", "auto", "--n-train", "20", "--n-test", "20", "--epochs", "1",
         "--engine", "reference"]  # fmt: skip
MIRRORS = (
    f"http://user:{SECRET}@127.0.0.1:9/m",
    f"http://127.0.0.1:9/m?token={SECRET}",
    f"http://user:{SECRET}@[broken",
    f"http://user:{SECRET}/x@127.0.0.1:9/m",
)


def test_a_mirrors_password_is_written_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("SCALING_DATA_DIR", "SCALING_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SCALING_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("SCALING_MIRRORS", ",".join(MIRRORS))
    out = tmp_path / "out"
    assert main([*TRAIN, "--out", str(out)]) == 0
    assert main(["status", str(out)]) == 0
    assert main(["report", str(out)]) == 0
    assert main(["data", "mnist"]) == 2
    said = "".join(capfd.readouterr())
    assert said.count("127.0.0.1") > 2
    assert "broken" in said
    assert SECRET not in said
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"train.json", "numbers.json", "report.md"} <= {path.name for path in written}
    for path in written:
        assert SECRET.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    "uri",
    [
        f"abfs://box@account/p?client_secret={SECRET}",
        f"s3://b/p?endpoint_override=http://u:{SECRET}@127.0.0.1:9",
        f"s3://b/p?endpoint_override=http%3A%2F%2Fu%3A{SECRET}%40127.0.0.1",
        f"s3://b/p?access_key=a&secret_key={SECRET}",
        f"s3://key:{SECRET}@b/p",
        f"s3://key%3A{SECRET}@b/p",
        f"s3://key:{SECRET}/x@b/p",
        f"gs://b/p?new_token={SECRET}",
    ],
)
def test_a_key_in_the_address_of_results_is_refused_unseen(
    uri: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", uri]) == 2
    said = "".join(capfd.readouterr())
    assert "would be written into logs and reports" in said
    assert SECRET not in said


@pytest.mark.parametrize(
    "uri",
    ["s3://b/p?endpoint_override=http://127.0.0.1:9&region=x", "s3://key@b/p", "hdfs://h:9000/a@b"],
)
def test_an_address_without_a_key_passes(uri: str) -> None:
    check_uri(uri)


def test_messages_lose_passwords_and_keep_the_rest() -> None:
    assert without_secrets("at http://u:p@h/x?sig=1) no") == "at http://h/x) no"
    assert without_secrets("--address ray://u:p@h:1") == "--address ray://u@h:1"
    plain = "--out s3://b/p?region=x&scheme=http a@b.c, https://h/p"
    assert without_secrets(plain) == plain


def test_an_answer_that_repeats_a_part_of_its_address_is_told_without_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def repeat(*_: object) -> None:
        raise ValueError(f"no {SECRET} here, nor 'p%40ss' or 'p@ss'")

    monkeypatch.setattr(download, "_fetch_one", repeat)
    with pytest.raises(download.Unavailable) as caught:
        download.fetch([f"http://u:p%40ss@127.0.0.1:9/m?k={SECRET}"], tmp_path / "x", "a")
    for part in (SECRET, "p%40ss", "p@ss"):
        assert part not in str(caught.value)
