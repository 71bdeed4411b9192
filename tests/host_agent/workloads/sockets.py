# SPDX-License-Identifier: Apache-2.0
"""Servers at unix sockets: one that sends what the test says, byte by byte, and one that answers as an engine did."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

__all__ = ["RecordedEngine", "recorded", "speaking", "without_privileges"]

RECORDED = Path(__file__).parent / "recorded"


@contextmanager
def speaking(path: Path, *conversations: Callable[[socket.socket], None]) -> Iterator[str]:
    """Listen at `path`; the first connection is the first conversation's, and so on, and closed at its end."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            for converse in conversations:
                with suppress(OSError):
                    connection, _ = listening.accept()
                    with connection:
                        converse(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield str(path)
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)


class RecordedEngine:
    """Answers at a socket with what a real engine said, or with what the test puts in its place.

    Attributes:
        answers: by request target: a value for JSON, or a status and a value.
        requests: the targets that were asked for.
        open: cleared, it takes requests and does not answer.
    """

    def __init__(self, path: Path, engine: str) -> None:
        self.path = path
        self.folder = RECORDED / engine
        self.info = json.loads((self.folder / "info.json").read_text())
        self.list: list[dict[str, Any]] = json.loads((self.folder / "list.json").read_text())
        self.answers: dict[str, Any] = {"/info": self.info, "/containers/json?all=1": self.list}
        for container in self.list:
            inspected = json.loads((self.folder / f"{container['Names'][0].lstrip('/')}.json").read_text())
            self.answers[f"/containers/{container['Id']}/json"] = inspected
        self.requests: list[str] = []
        self.open = threading.Event()
        self.open.set()

    @property
    def inspected(self) -> int:
        """How many containers were asked after, one by one."""
        return sum(target.startswith("/containers/") and "?" not in target for target in self.requests)

    def container(self, name: str) -> dict[str, Any]:
        """Give the answer about one container, to be changed."""
        (identifier,) = (one["Id"] for one in self.list if one["Names"] == [f"/{name}"])
        answer: dict[str, Any] = self.answers[f"/containers/{identifier}/json"]
        return answer

    @contextmanager
    def running(self) -> Iterator[str]:
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                engine.requests.append(self.path)
                engine.open.wait()
                answer = engine.answers.get(self.path, (404, {"message": f"no such thing: {self.path}"}))
                status, value = answer if isinstance(answer, tuple) else (200, answer)
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

            def address_string(self) -> str:
                return "unix"

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: object) -> None:
                pass  # who asked has gone

        with Server(str(self.path), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
            thread.start()
            try:
                yield str(self.path)
            finally:
                self.open.set()
                server.shutdown()
                thread.join(10)
        self.path.unlink(missing_ok=True)


@contextmanager
def recorded(folder: Path, engine: str = "docker-20.10") -> Iterator[RecordedEngine]:
    """Run a recorded engine in a folder."""
    server = RecordedEngine(folder / "engine.sock", engine)
    with server.running():
        yield server


@contextmanager
def without_privileges() -> Iterator[None]:
    """Be another user than root, to whom nothing is closed."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)
