# SPDX-License-Identifier: Apache-2.0
"""The application as a server calls it, over a fleet; every answer is looked at for what it must not be or tell."""

from __future__ import annotations

import io
import json
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from jsonschema import Draft202012Validator
from sqlalchemy import select

from host_agent.api.auth.nobody import NoAuthentication
from host_agent.api.openapi.apis import api_of
from host_agent.api.routes import NOVA, Route
from host_agent.api.wsgi import build
from host_agent.settings import Settings
from host_agent.store.engine import Engine
from host_agent.store.schema import METADATA

__all__ = ["Reply", "Target"]

_MOST_SECONDS = 3
_SECRETS = re.compile(
    r"Traceback|File \"|sqlalchemy|psycopg|pymysql|sqlite3|OperationalError|ProgrammingError|DataError|IntegrityError"
    r"|site-packages|host_agent[/.]\w|\.py\b|near \"|SELECT .* FROM compute_host|state\.sqlite",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, and what was asked for, in short."""

    asked: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]


class Target:
    """The application over a database with a fleet in it, and what that held before."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._application = build(settings, engine, NoAuthentication())
        self._before = self._tables()

    def ails(self) -> list[str]:
        """Tell what is not as it was before: the tables that changed, and an application that does not answer."""
        after = self._tables()
        changed = [name for name, rows in self._before.items() if rows != after[name]]
        return [*changed, *([] if self.send("GET", "/healthcheck").status == 200 else ["/healthcheck"])]

    def send(
        self, method: str, path: str, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        """Send a request as it is; no answer may be late, be the server's fault, or tell what is inside."""
        began = time.monotonic()
        reply = self._call(method, path, query, headers or {}, body)
        assert time.monotonic() - began < _MOST_SECONDS, reply.asked
        assert reply.status < 500 or reply.status == 501, f"{reply.asked}: {reply.status} {reply.text[:300]}"
        assert _SECRETS.search(reply.text) is None, f"{reply.asked}: {reply.text[:300]}"
        assert {"x-injected", "set-cookie"}.isdisjoint(reply.headers), reply.asked
        return reply

    def refused(self, route: Route, *request: Any, **more: Any) -> Reply:
        """Send a request that cannot be right: it is a fault of the client's, in the words of the API."""
        reply = self.send(*request, **more)
        assert reply.status != 429, "it would be refused whatever it was"
        assert 400 <= reply.status < 500, f"{reply.asked}: {reply.status} {reply.text[:300]}"
        in_its_words(route, reply)
        return reply

    def _call(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Reply:
        asked = f"{method} {path[:200]}?{query[:200]} {str(headers)[:200]} {body[:80]!r}"
        told: list[Any] = []

        def start_response(status: str, answer_headers: list[tuple[str, str]], _info: object = None) -> None:
            told[:] = [int(status.partition(" ")[0]), {name.lower(): value for name, value in answer_headers}]

        parts = self._application(_environ(method, path, query, headers, body), start_response)
        status, answer_headers = told
        return Reply(asked=asked, status=status, headers=answer_headers, body=b"".join(parts))

    def _tables(self) -> dict[str, list[str]]:
        with self._engine.connect() as connection:
            return {
                name: sorted(map(repr, connection.execute(select(*table.columns))))
                for name, table in METADATA.tables.items()
            }


def in_its_words(route: Route, reply: Reply) -> None:
    """See to it that a fault has the form that the clients of this API know."""
    if reply.asked.startswith("HEAD "):
        return
    if reply.media_type == "text/html":
        # Nova's answer where there is no such route.
        assert (route.dialect, reply.status) == (NOVA, 404), reply.asked
        return
    schema = api_of(route.dialect).fault
    assert Draft202012Validator(schema).is_valid(json.loads(reply.body)), f"{reply.asked}: {reply.text[:300]}"


def _environ(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Give what PEP 3333 says a server gives: bytes of the path and the headers as if they were Latin-1."""
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8775",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8775",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        environ[key] = value.encode().decode("latin-1")
    return environ
