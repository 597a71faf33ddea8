"""Find out whether a Ray answers at an address, before Ray itself waits for it for minutes."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ray._private.authentication.authentication_token_setup import (
    maybe_enable_token_auth_if_token_available,
)
from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.exceptions import AuthenticationError, RayError

from scaling.errors import InputError

ANSWER_S = 10.0  # assumed: a cluster that takes longer to accept a connection is no use
TOKEN_ADVICE = (
    "set RAY_AUTH_MODE=token and put the cluster's token (`ray get-auth-token` on its head) into"
    " ~/.ray/auth_token, or name its file with RAY_AUTH_TOKEN_PATH"
)
# What a client of HTTP/2 sends first, and an empty frame of settings (RFC 9113, 3.4). A server of
# gRPC answers with its own settings, whatever its token.
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))


def greet(address: str, timeout: float | None = None) -> None:
    """Raise OSError unless a server of gRPC answers at HOST:PORT; a stopped process does not."""
    timeout = ANSWER_S if timeout is None else timeout
    host, _, port = address.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=timeout) as server:
        if os.environ.get("RAY_USE_TLS", "0") not in ("0", ""):
            return
        try:
            server.sendall(HELLO)
            answer = server.recv(9)
        except TimeoutError:
            raise TimeoutError(
                f"something accepts connections there and says nothing for {timeout:g} s"
            ) from None
    if answer[3:4] != b"\x04":  # the type of a frame of settings
        raise ConnectionError("what listens there is no Ray")


def check_head(address: str, auto: bool) -> None:
    """Raise OSError where no Ray answers at HOST:PORT, InputError where it wants another token.

    `auto`: show the token of the user's file, as Ray does where no address was given.
    """
    client, _, named = address.rpartition("://")
    if not named.rpartition(":")[2].isdigit():
        return  # Ray says at once what is wrong with it
    greet(named)
    if client:
        return
    if auto:
        maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
    try:
        with _without_stderr():
            GcsClient(address=named).internal_kv_get(b"session_name", b"session", timeout=ANSWER_S)
    except AuthenticationError as error:
        raise InputError(
            f"the Ray cluster at '{address}' takes another token than ours: {TOKEN_ADVICE}"
        ) from error
    except RayError as error:
        raise ConnectionError(str(error)) from error


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Drop what Ray writes there from C++ about a token, which we say ourselves."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
