"""Test what is said of storage that fails: for a time, or for good."""

import pytest

from scaling.store import retries


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    heard: list[str] = []
    monkeypatch.setattr(retries, "on_retry", heard.append)
    monkeypatch.setattr(retries, "WAITS_S", (0.0, 0.0, 0.0))
    return heard


def test_the_first_failed_try_is_told_in_a_line_with_its_answer(said: list[str]) -> None:
    answers = iter([OSError("Code: 503\nSlow down"), OSError("Code: 503"), "done"])

    def action() -> str:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    assert retries.retry_io(action) == "done"
    (line,) = said
    assert "Code: 503 Slow down" in line
    assert "3 times more, until about" in line


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        ("AWS Error UNKNOWN (HTTP status 400): ExceptionName: ExpiredToken", "log in again"),
        ("AWS Error INVALID_ACCESS_KEY_ID during PutObject", "AWS_ACCESS_KEY_ID"),
        ("AWS Error SIGNATURE_DOES_NOT_MATCH during PutObject", "AWS_SECRET_ACCESS_KEY"),
        ("AWS Error ACCESS_DENIED during PutObject operation", "ask for the right"),
        ("AWS Error NO_SUCH_BUCKET during ListObjectsV2", "make the bucket"),
    ],
)
def test_a_final_answer_is_not_asked_for_again_and_says_what_to_do(
    said: list[str], answer: str, remedy: str
) -> None:
    tries = []

    def action() -> None:
        tries.append(1)
        raise OSError(answer)

    with pytest.raises(OSError, match="AWS Error") as error:
        retries.retry_io(action)
    assert len(tries) == 1
    assert said == []
    assert remedy in retries.one_line(error.value)
