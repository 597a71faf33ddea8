"""Try an operation of a disk or a bucket again; both often recover within seconds."""

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from scaling.untrusted import Refused

T = TypeVar("T")

# Seconds before each retry; assumed: short against training again, long against a brief outage.
WAITS_S = (0.5, 2.0, 8.0)
# Errors that a retry cannot mend.
PERMANENT = (
    *(FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError),
    Refused,
)
# Answers that stay the same however often one asks, with what to do.
FINAL = {
    r"ExpiredToken|EXPIRED_TOKEN|RequestExpired": "log in again, or set new AWS_... keys",
    r"INVALID_ACCESS_KEY_ID|InvalidAccessKeyId|SIGNATURE_DOES_NOT_MATCH|SignatureDoesNotMatch|"
    r"InvalidToken|INVALID_CLIENT_TOKEN_ID|UNRECOGNIZED_CLIENT|MISSING_AUTHENTICATION_TOKEN": (
        "see to AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
    ),
    r"ACCESS_DENIED|AccessDenied": "ask for the right to list, read, write and delete there",
    r"NO_SUCH_BUCKET|NoSuchBucket": "make the bucket, or name another",
}
on_retry: Callable[[str], None] | None = None  # gets a line when an operation is tried again


def retry_io(action: Callable[[], T]) -> T:
    """Return the action's result; retry it when the disk or the network fails.

    Raises the OSError of the last try.
    """
    began = time.monotonic()
    for number, wait in enumerate(WAITS_S):
        try:
            return action()
        except PERMANENT:
            raise
        except OSError as error:
            if _remedy(error):
                raise
            if on_retry and number == 0:
                each = time.monotonic() - began  # a hanging request takes minutes
                last = datetime.now() + timedelta(seconds=sum(WAITS_S) + len(WAITS_S) * each)
                on_retry(
                    f"storage failed ({one_line(error)}): tried {len(WAITS_S)} times more, until"
                    f" about {last:%H:%M:%S}"
                )
            time.sleep(wait)
    return action()


def one_line(error: BaseException) -> str:
    """Return an error's message in one line, with what to do if the answer is final."""
    text, remedy = " ".join(str(error).split())[:200] or type(error).__name__, _remedy(error)
    return f"{text}: {remedy}" if remedy else text


def _remedy(error: BaseException) -> str | None:
    """Return what to do where an answer is final."""
    found = (remedy for answer, remedy in FINAL.items() if re.search(answer, str(error)))
    return next(found, None)
