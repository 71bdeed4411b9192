# SPDX-License-Identifier: Apache-2.0
"""What docs/security.md shows is what works: its commands, its settings, and the database's users."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from falcon import testing
from sqlalchemy.engine import URL, make_url

from host_agent.api.auth.nobody import NoAuthentication
from host_agent.api.wsgi import build
from host_agent.settings import load
from host_agent.store import migrate
from host_agent.store.engine import Engine
from tests.host_agent.databases import raw_connection
from tests.host_agent.process.conftest import HostAgent

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "security.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [
    line.removeprefix("# host-agent ").split()
    for kind, text in BLOCKS
    if kind == "console"
    for line in text.splitlines()
    if line.startswith("# host-agent ")
]
SETTINGS = [text for kind, text in BLOCKS if kind == "ini"]
STATEMENTS = {
    backend: [text.partition("\n")[2] for kind, text in BLOCKS if kind == "sql" and text.startswith(f"-- {backend}")]
    for backend in ("postgresql", "mysql")
}
AGGREGATES = "/v2.1/os-aggregates"


def test_its_commands_work_in_their_order(agent: HostAgent) -> None:
    agent.state.mkdir()
    assert agent("db", "upgrade").code == 0
    assert len(COMMANDS) >= 3
    for arguments in COMMANDS:
        answer = agent(*arguments, OS_CAPABILITY_API__AUTH="token")
        assert (answer.code, answer.err) == (0, "")


@pytest.mark.parametrize("text", SETTINGS)
def test_its_settings_are_taken(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.conf"
    file.write_text(text)
    assert load([str(file)], environ={}).settings.api.auth in ("token", "keystone")


@pytest.fixture
def role(server_url: str) -> Iterator[str]:
    """Give the name of a user of the database that is not there yet, and will not be."""
    name = f"capability_api_{uuid.uuid4().hex[:8]}"
    yield name
    url = make_url(server_url)
    if url.get_backend_name() == "postgresql":
        execute(url, f"DROP OWNED BY {name}; DROP ROLE {name}")
    else:
        execute(url, f"DROP USER {name}@'%'")


def execute(url: URL, statements: str) -> None:
    with closing(raw_connection(url)) as connection, connection.cursor() as cursor:
        for statement in filter(str.strip, statements.split(";")):
            cursor.execute(statement)


def test_a_user_that_only_reads_serves_what_reads_and_one_that_writes_all(
    server_url: str, role: str, opened: Callable[..., Engine]
) -> None:
    migrate.create(opened(server_url))
    url = make_url(server_url)
    backend = url.get_backend_name()
    first, further = (
        text.replace("capability_api", role).replace("capability.*", f"{url.database}.*")
        for text in STATEMENTS[backend]
    )
    own = url.set(username=role, password="PASSWORD").render_as_string(hide_password=False)
    settings = load(environ={"OS_CAPABILITY_CONFIG_FILE": "/dev/null", "STATE_DIRECTORY": "/nonexistent"}).settings

    execute(url, first)
    engine = opened(own, connections=2)
    migrate.require_current(engine)
    client = testing.TestClient(build(settings, engine, NoAuthentication()))

    def create() -> Any:
        return client.simulate_post(AGGREGATES, json={"aggregate": {"name": "a"}})

    for path in ("/v2.1/os-hypervisors", AGGREGATES, "/v2.1/os-services", "/v1/hosts", "/v1/events"):
        assert client.simulate_get(path).status_code == 200
    refused = create()
    assert refused.status_code == 503
    assert role not in refused.text

    execute(url, further)
    # What a session may, MySQL looks up when it begins.
    engine.dispose()
    assert create().status_code == 200
    assert client.simulate_delete(f"{AGGREGATES}/1").status_code == 200
