"""Choose the ports of test servers and the folders of their Rays."""

import socket
import tempfile


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def folder_of_a_ray() -> "tempfile.TemporaryDirectory[str]":
    """Paths of sockets hold 107 characters; its processes may still write as the folder goes."""
    return tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True)
