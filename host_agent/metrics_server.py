# SPDX-License-Identifier: Apache-2.0
"""The smallest server that Prometheus can scrape; a module of its own, because http.server costs memory."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

from host_agent.errors import ConfigError

__all__ = ["MetricsServer"]

LOG = logging.getLogger(__name__)

_PATH = "/metrics"
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# One client at a time: however many connect, the agent holds one thread and one connection.
_PATIENCE_SECONDS = 2.0
_JOIN_SECONDS = 0.5


class MetricsServer:
    """Answers GET /metrics in a thread of its own until it is stopped."""

    def __init__(self, bind: str, text: Callable[[], str]) -> None:
        """Listen on ``ADDRESS:PORT`` and answer with what `text` gives.

        Raises:
            ConfigError: the address cannot be listened on.
        """
        host, _, port = bind.rpartition(":")
        try:
            self._server = _server((host.strip("[]"), int(port)), text)
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "there is no such port"
            raise ConfigError(f"[metrics] bind = {bind} is not valid: {reason}; choose another port") from None
        self._is_stopping = False
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port, also where the kernel chose it."""
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Take no more connections."""
        self._is_stopping = True
        # This wakes the thread. serve_forever() would have to look twice a second whether it is to end.
        with contextlib.suppress(OSError):
            self._server.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(_JOIN_SECONDS)
        self._server.server_close()

    def _serve(self) -> None:
        while not self._is_stopping:
            self._server.handle_request()


class _Server(socketserver.TCPServer):
    # Not HTTPServer: it asks the resolver for its own name before it listens.
    allow_reuse_address = True

    def get_request(self) -> tuple[socket.socket, object]:
        try:
            return super().get_request()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                # The connection goes on waiting, and would wake us again at once.
                time.sleep(_PATIENCE_SECONDS)
            raise

    def handle_error(self, request: object, client_address: object) -> None:
        # A client that went away in mid-answer; the default prints a traceback to standard error.
        LOG.debug("a scrape was not answered to its end", exc_info=True)


class _Server6(_Server):
    address_family = socket.AF_INET6


def _server(address: tuple[str, int], text: Callable[[], str]) -> _Server:
    class Handler(_Handler):
        answer = staticmethod(text)

    return (_Server6 if ":" in address[0] else _Server)(address, Handler)


class _Handler(BaseHTTPRequestHandler):
    answer: Callable[[], str]
    timeout = _PATIENCE_SECONDS
    server_version, sys_version = "host-agent", ""

    def do_GET(self) -> None:
        """Answer with the metrics."""
        if self.path.partition("?")[0] != _PATH:
            self.send_error(HTTPStatus.NOT_FOUND, explain=f"There is only {_PATH}.")
            return
        body = self.answer().encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", _CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - named by http.server

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - named by http.server
        """Leave the log alone: a scrape is no news."""
