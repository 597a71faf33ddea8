"""Run an S3 server on loopback for tests: moto's, behind a gate that can be set to fail."""

import logging
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import requests

BUCKET = "results"
ERROR = '<?xml version="1.0"?><Error><Code>{}</Code><Message>by the test</Message></Error>'


@dataclass
class Bucket:
    """Hold the server's address, its requests so far, and those that it shall refuse."""

    endpoint: str = ""
    asked: list[str] = field(default_factory=list)  # "PUT /results/x?partNumber=1"
    refuse: tuple[str, int, str] | None = None  # a part of such a line, the status, S3's code
    # what befalls a request, by its line: None, "busy", "reset" or "reset after"
    fault: Callable[[str], str | None] = lambda _: None

    def uri(self, path: str, bucket: str = BUCKET) -> str:
        return f"s3://{bucket}/{path}?endpoint_override={self.endpoint}&scheme=http"

    def objects(self) -> dict[str, int]:
        """Return the size of each object by name, from the server itself; folders are left out."""
        listed = requests.get(f"http://{self.endpoint}/{BUCKET}?list-type=2", timeout=10).text
        pairs = re.findall(r"<Key>([^<]*)</Key>.*?<Size>(\d+)</Size>", listed, re.DOTALL)
        return {name: int(size) for name, size in pairs if not name.endswith("/")}


def _take_body(environ: dict[str, Any]) -> None:
    """Read what a request sends, and no more: to the end of the stream it would wait for ever."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))


@contextmanager
def s3_server() -> Iterator[Bucket]:
    """Provide an empty bucket for the time of a block."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # not a line a request
    moto, bucket = DomainDispatcherApplication(create_backend_app), Bucket()

    def gate(environ: dict[str, Any], start_response: Any) -> Any:
        query = environ["QUERY_STRING"]
        line = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}{query and f'?{query}'}"
        bucket.asked.append(line)
        if bucket.refuse and bucket.refuse[0] in line:
            _take_body(environ)
            start_response(f"{bucket.refuse[1]} no", [("Content-Type", "application/xml")])
            return [ERROR.format(bucket.refuse[2]).encode()]
        fault = bucket.fault(line)
        if fault == "busy":
            _take_body(environ)
            start_response("503 Slow Down", [("Content-Type", "application/xml")])
            return [ERROR.format("SlowDown").encode()]
        if fault == "reset after":  # the object is stored, and the client is not told
            list(moto(environ, lambda *_: None))
        if fault:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            start_response("200 OK", [])
            return []
        return moto(environ, start_response)

    server = make_server("127.0.0.1", 0, gate, threaded=True)
    bucket.endpoint = f"127.0.0.1:{server.server_port}"
    serving = Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        requests.put(f"http://{bucket.endpoint}/{BUCKET}", timeout=30).raise_for_status()
        yield bucket
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
