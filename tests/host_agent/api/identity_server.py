# SPDX-License-Identifier: Apache-2.0
"""As much of Keystone's Identity v3 as validating a token takes, over HTTP."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

__all__ = ["IdentityServer"]

_OWN_TOKEN = "of-the-service-itself"


class IdentityServer:
    """Knows one service, by its password, and the tokens that a test gives it.

    Attributes:
        tokens: the roles of each.
        asked: how often it was asked for a token.
        status: what it answers everything with, instead of what it should.
    """

    def __init__(self, password: str) -> None:
        self.password = password
        self.tokens: dict[str, tuple[str, ...]] = {}
        self.asked = 0
        self.status: int | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v3"

    def __enter__(self) -> IdentityServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, object, dict[str, str]]:
        if self.status is not None:
            return self.status, {"error": {"code": self.status}}, {}
        if path.rstrip("/") in ("", "/v3"):
            links = [{"rel": "self", "href": f"{self.url}/"}]
            version = {"id": "v3.14", "status": "stable", "links": links}
            return (
                (200, {"version": version}, {}) if path.strip("/") else (300, {"versions": {"values": [version]}}, {})
            )
        if method == "POST":
            user = json.loads(body)["auth"]["identity"]["password"]["user"]
            if user["password"] != self.password:
                return 401, {"error": {"code": 401, "title": "Unauthorized", "message": "no"}}, {}
            return 201, self._token("service", ("service",)), {"X-Subject-Token": _OWN_TOKEN}
        self.asked += 1
        token = headers.get("X-Subject-Token", "")
        if headers.get("X-Auth-Token") != _OWN_TOKEN:
            return 401, {"error": {"code": 401, "title": "Unauthorized", "message": "no"}}, {}
        if token not in self.tokens:
            return 404, {"error": {"code": 404, "title": "Not Found", "message": "no"}}, {}
        return 200, self._token(token, self.tokens[token]), {"X-Subject-Token": token}

    def _token(self, user: str, roles: tuple[str, ...]) -> object:
        domain = {"id": "default", "name": "Default"}
        ours = {"interface": "internal", "region": "RegionOne", "region_id": "RegionOne", "url": self.url, "id": "1"}
        return {
            "token": {
                "methods": ["password"],
                "issued_at": "2020-01-01T00:00:00.000000Z",
                "expires_at": "2099-01-01T00:00:00.000000Z",
                "user": {"id": f"{user}-id", "name": user, "domain": domain},
                "project": {"id": "p-id", "name": "p", "domain": domain},
                "roles": [{"id": f"{role}-id", "name": role} for role in roles],
                "catalog": [{"type": "identity", "name": "keystone", "id": "2", "endpoints": [ours]}],
                "audit_ids": ["x"],
            }
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, value, headers = answer(self.command, self.path, self.headers, body)
                text = json.dumps(value).encode()
                self.send_response(status)
                for name, content in {**headers, "Content-Length": str(len(text))}.items():
                    self.send_header(name, content)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(text)

            do_POST = do_GET  # noqa: N815 - named by http.server

            def log_message(self, format: str, *arguments: object) -> None: ...  # noqa: A002 - named by http.server

        return Handler
