# SPDX-License-Identifier: Apache-2.0
"""A real Placement on the loopback, and a Keystone that knows one user; `make test-placement` installs the former."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.host_agent.servers import free_port

__all__ = ["PROGRAMS", "Keystone", "Placement"]

TOP = Path(__file__).resolve().parents[2]
# An environment of their own: what Placement needs must not stand in the way of what we need.
PROGRAMS = Path(os.environ.get("OS_CAPABILITY_TEST_PLACEMENT_BIN") or TOP / ".venv-placement/bin").absolute()

_CONFIGURATION = """\
[DEFAULT]
log_file = {folder}/placement.log
[api]
auth_strategy = noauth2
[placement_database]
connection = sqlite:///{folder}/placement.sqlite
"""


class Placement:
    """openstack-placement under waitress, on a SQLite file. The token ``admin`` may do everything."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        configuration = folder / "placement.conf"
        configuration.write_text(_CONFIGURATION.format(folder=folder))
        subprocess.run([PROGRAMS / "placement-manage", "--config-file", configuration, "db", "sync"], check=True)

    def start(self) -> None:
        with (self._folder / "waitress.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(PROGRAMS / "waitress-serve", f"--listen=127.0.0.1:{self.port}", "--threads=4"),
                    "placement.wsgi.api:application",
                ],
                env={**os.environ, "OS_PLACEMENT_CONFIG_DIR": str(self._folder)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "waitress.log").read_text(errors="replace")
            assert time.monotonic() < until, "Placement does not answer"
            time.sleep(0.05)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Send a request as another program would; an answer without a body is an empty object."""
        request = Request(self.url + path, method=method, data=None if body is None else json.dumps(body).encode())
        request.add_header("X-Auth-Token", "admin")
        request.add_header("OpenStack-API-Version", "placement 1.39")
        request.add_header("Content-Type", "application/json")
        with urlopen(request, timeout=30) as answer:
            return dict(json.loads(answer.read() or b"{}"))

    def provider(self, uuid: str) -> dict[str, Any]:
        return self.call("GET", f"/resource_providers/{uuid}")

    def tree(self, uuid: str) -> dict[str, str]:
        """Give the uuids of all providers in one tree by their names."""
        found = self.call("GET", f"/resource_providers?in_tree={uuid}")["resource_providers"]
        return {provider["name"]: provider["uuid"] for provider in found}

    def inventories(self, uuid: str) -> dict[str, dict[str, Any]]:
        return dict(self.call("GET", f"/resource_providers/{uuid}/inventories")["inventories"])

    def traits(self, uuid: str) -> set[str]:
        return set(self.call("GET", f"/resource_providers/{uuid}/traits")["traits"])

    def add_traits(self, uuid: str, *names: str) -> None:
        self._edit(uuid, "traits", sorted(self.traits(uuid) | set(names)))

    def set_inventory(self, uuid: str, name: str, **inventory: float) -> None:
        self._edit(uuid, "inventories", {**self.inventories(uuid), name: inventory})

    def allocate(self, consumer: str, uuid: str, **resources: int) -> None:
        """Let something run there; without resources nothing any more."""
        body = {
            "allocations": {uuid: {"resources": resources}} if resources else {},
            "project_id": "project",
            "user_id": "user",
            "consumer_generation": None if resources else self._consumer_generation(consumer),
            "consumer_type": "INSTANCE",
        }
        self.call("PUT", f"/allocations/{consumer}", body)

    def usages(self, uuid: str) -> dict[str, int]:
        return dict(self.call("GET", f"/resource_providers/{uuid}/usages")["usages"])

    def _consumer_generation(self, consumer: str) -> int:
        return int(self.call("GET", f"/allocations/{consumer}")["consumer_generation"])

    def _edit(self, uuid: str, kind: str, value: object) -> None:
        generation = self.provider(uuid)["generation"]
        self.call(
            "PUT", f"/resource_providers/{uuid}/{kind}", {"resource_provider_generation": generation, kind: value}
        )

    def _answers(self) -> bool:
        try:
            self.call("GET", "/")
        except HTTPError:
            return True
        except OSError:
            return False
        return True


class Keystone:
    """Identity v3 as far as a client with a password needs it.

    Attributes:
        tokens: how many it gave.
        services: the catalog: types and the URLs of their public endpoints in RegionOne.
    """

    user, password = "agent", "s3cret-of-the-agent"

    def __init__(self, services: Mapping[str, str]) -> None:
        self.services = dict(services)
        self.tokens = 0
        keystone = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(200 if self.path.rstrip("/") == "/v3" else 300, keystone._versions())

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                user = asked["auth"]["identity"]["password"]["user"]
                if (user["name"], user["password"]) != (keystone.user, keystone.password):
                    self._answer(401, {"error": {"code": 401, "title": "Unauthorized", "message": "no"}})
                    return
                keystone.tokens += 1
                self._answer(201, keystone._token(), {"X-Subject-Token": "admin"})

            def _answer(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _versions(self) -> object:
        links = [{"rel": "self", "href": f"{self.url}/v3/"}]
        version = {"id": "v3.14", "status": "stable", "links": links, "media-types": []}
        return {"version": version, "versions": {"values": [version]}}

    def _token(self) -> object:
        catalog = [
            {
                "id": kind,
                "type": kind,
                "name": kind,
                "endpoints": [
                    {"id": kind, "interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": url}
                ],
            }
            for kind, url in self.services.items()
        ]
        domain = {"id": "default", "name": "Default"}
        return {
            "token": {
                "methods": ["password"],
                "issued_at": "2026-01-01T00:00:00.000000Z",
                "expires_at": "2099-01-01T00:00:00.000000Z",
                "user": {"id": "u", "name": self.user, "domain": domain},
                "project": {"id": "p", "name": "service", "domain": domain},
                "roles": [{"id": "r", "name": "service"}],
                "catalog": catalog,
                "audit_ids": ["a"],
            }
        }
