"""Fetch a file from one of several mirrors, giving up on a silent one within seconds."""

import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

import requests

from scaling.progress import Progress
from scaling.untrusted import MOST_UNZIPPED, unzip, without_secrets

ANSWER_S = 6.0  # assumed: a mirror that has sent no header by then, name look-up included, is down
STALL_S = 10.0  # assumed: longest silence within a download
TRIES = 2


class Unavailable(Exception):
    """No mirror gave the file; the message says what each of them answered."""


def fetch(urls: Sequence[str], target: Path, sha256: str) -> None:
    """Download the first of `urls` that gives a gzip file of the right decompressed bytes.

    Raises Unavailable with every mirror's answer when none does; `target` then stays as it was.
    """
    answers: list[str] = []
    for url in urls:
        for _ in range(TRIES):
            try:
                _fetch_one(url, target, sha256)
                return
            except (requests.ConnectionError, requests.HTTPError) as error:
                answers.append(without_secrets(f"{url}: {_short(error, url)}"))
                break  # asking again at once gets the same answer
            except (requests.RequestException, OSError, EOFError, ValueError) as error:
                answers.append(without_secrets(f"{url}: {_short(error, url)}"))
    raise Unavailable("; ".join(answers) or "no mirror to ask")


def _fetch_one(url: str, target: Path, sha256: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    response = _answer(url)
    response.raise_for_status()
    size = int(response.headers.get("content-length") or 0)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".download-")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file, Progress(f"download {target.name}", size) as bar:
            for block in response.iter_content(1 << 16):
                file.write(block)
                bar.advance(len(block))
                if bar.done > MOST_UNZIPPED:
                    raise ValueError(f"more than {MOST_UNZIPPED:,} bytes")
        got = hashlib.sha256(unzip(part.read_bytes())).hexdigest()
        if got != sha256:
            raise ValueError(f"sha256 {got[:12]}…, expected {sha256[:12]}…")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _answer(url: str) -> requests.Response:
    """The response as soon as its header is there.

    In a thread of its own because no time-out of the library covers the look-up of a host's name.
    """
    got: list[requests.Response | Exception] = []

    def ask() -> None:
        try:
            got.append(requests.get(url, stream=True, timeout=(ANSWER_S, STALL_S)))
        except requests.RequestException as error:
            got.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(ANSWER_S)
    if not got:
        raise requests.ConnectionError(f"no answer within {ANSWER_S:g} s")
    if isinstance(got[0], Exception):
        raise got[0]
    return got[0]


def _short(error: Exception, url: str) -> str:
    """The last cause in a chain says most and is shortest; it may repeat parts of the URL."""
    while isinstance(error.__cause__ or error.__context__, Exception):
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    text = " ".join(str(error).split())
    for secret in _secrets(url):
        text = text.replace(secret, "…").replace(unquote(secret), "…")
    return (text or type(error).__name__)[:160]


def _secrets(url: str) -> list[str]:
    """Return the parts of a URL that are none of a message's, the longest first.

    A password may hold a slash that should have been escaped, so no library can tell them apart.
    """
    rest, _, query = url.partition("://")[2].partition("?")
    user = rest.rpartition("@")[0]
    password = user.partition(":")[2]
    found = [user, password, *password.split("/"), query, *re.split("[&=]", query)]
    return sorted({part for part in found if len(part) > 1}, key=len, reverse=True)
