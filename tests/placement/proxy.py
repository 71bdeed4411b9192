# SPDX-License-Identifier: Apache-2.0
"""Stands between the agent and Placement: writes down every request, and does what a test wants done to one."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

__all__ = ["Proxy", "Reply", "Seen"]


class Seen(NamedTuple):
    """One request, and what became of it."""

    method: str
    path: str
    status: int
    headers: dict[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Reply(NamedTuple):
    """An answer in the place of Placement's."""

    status: int
    content: bytes


# Called with method and path before the request goes on; gives the answer, or None for Placement's own.
Meddling = Callable[[str, str], Reply | None]


class Proxy:
    """Forwards each request to Placement, and takes none without TLS where it has a certificate.

    Attributes:
        seen: all requests so far.
        meddle: asked at each request.
    """

    def __init__(self, target_port: int, certificate: Path | None = None) -> None:
        self.seen: list[Seen] = []
        self.meddle: Meddling | None = None
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def _forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                reply = proxy.meddle(self.command, self.path) if proxy.meddle is not None else None
                if reply is None:
                    connection = http.client.HTTPConnection("127.0.0.1", target_port, timeout=30)
                    connection.request(self.command, self.path, body, dict(self.headers))
                    answer = connection.getresponse()
                    reply = Reply(answer.status, answer.read())
                    connection.close()
                proxy.seen.append(Seen(self.command, self.path, reply.status, dict(self.headers)))
                self.send_response(reply.status)
                self.send_header("Content-Length", str(len(reply.content)))
                self.end_headers()
                self.wfile.write(reply.content)

            do_GET = do_PUT = do_POST = do_DELETE = _forward  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"{'http' if certificate is None else 'https'}://127.0.0.1:{self._server.server_port}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def taken(self) -> list[str]:
        """Give the requests since the last call of this, and forget them."""
        seen, self.seen = self.seen, []
        return [str(request) for request in seen]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
