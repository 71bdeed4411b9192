# SPDX-License-Identifier: Apache-2.0
"""Identity v3 as far as clients with a password, and a service that has their tokens vouched for, ask for it."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["PASSWORD", "Identity"]

PASSWORD = "secret"


class Identity:
    """Knows every user by one password; those whose name begins with ``admin`` are admins. A token is ``user:project``.

    Attributes:
        services: the catalog: types and the URLs of their endpoints in RegionOne.
        url: of its v3.
    """

    def __init__(self, services: Mapping[str, str] | None = None) -> None:
        self.services = dict(services or {})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v3"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def version(self) -> dict[str, Any]:
        links = [{"rel": "self", "href": f"{self.url}/"}]
        return {"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z", "links": links, "media-types": []}

    def token(self, user: str, project: str) -> dict[str, Any]:
        roles = ("admin", "member", "reader") if user.startswith("admin") else ("member", "reader")
        domain = {"id": "default", "name": "Default"}
        return {
            "methods": ["password"],
            "audit_ids": ["audit"],
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "is_domain": False,
            "user": {"id": f"{user}-id", "name": user, "domain": domain, "password_expires_at": None},
            "project": {"id": f"{project}-id", "name": project, "domain": domain},
            "roles": [{"id": f"{role}-id", "name": role} for role in roles],
            "catalog": [_service(kind, url) for kind, url in {**self.services, "identity": self.url}.items()],
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, identity: Identity, *arguments: Any) -> None:
        self._identity = identity
        super().__init__(*arguments)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].rstrip("/")
        user, _, project = self.headers.get("X-Subject-Token", "").partition(":")
        if path == "":
            self._answer(300, {"versions": {"values": [self._identity.version()]}})
        elif path == "/v3":
            self._answer(200, {"version": self._identity.version()})
        elif path == "/v3/auth/tokens" and project:
            self._answer(200, {"token": self._identity.token(user, project)})
        else:
            self._refuse(404)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["auth"]
        user = asked["identity"].get("password", {}).get("user", {})
        if self.path != "/v3/auth/tokens" or user.get("password") != PASSWORD:
            self._refuse(401)
            return
        name, project = _named(user), _named(asked.get("scope", {}).get("project", user))
        self._answer(201, {"token": self._identity.token(name, project)}, {"X-Subject-Token": f"{name}:{project}"})

    def _refuse(self, code: int) -> None:
        self._answer(code, {"error": {"code": code, "title": "Refused", "message": "It is not known."}})

    def _answer(self, code: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(code)
        for name, value in {**(headers or {}), "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


def _named(reference: Mapping[str, str]) -> str:
    """Give the name of a user or a project that is referred to by name or by id."""
    return reference.get("name") or reference["id"].removesuffix("-id")


def _service(kind: str, url: str) -> dict[str, Any]:
    place = {"region": "RegionOne", "region_id": "RegionOne", "url": url}
    endpoints = [{"id": f"{kind}-{face}", "interface": face, **place} for face in ("public", "internal", "admin")]
    return {"id": kind, "type": kind, "name": kind, "endpoints": endpoints}
