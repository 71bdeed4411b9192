# SPDX-License-Identifier: Apache-2.0
"""The API while its database is restarted under load: no wrong answer, 503 in between, and it recovers by itself.

Once it is stopped in order and once it is killed. $OS_CAPABILITY_TEST_RESTART_SECONDS says how long all of it takes;
`make test-restart` gives a minute.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from host_agent import store
from host_agent.store import migrate
from host_agent.store.engine import Engine
from tests.host_agent.process.conftest import HostAgent
from tests.host_agent.servers import Server, free_port, wait_until
from tests.host_agent.store.fleet import enlist
from tests.host_agent.store.workloads import vm_uuid

SECONDS = float(os.environ.get("OS_CAPABILITY_TEST_RESTART_SECONDS") or 4)
HOSTS, READERS, WRITERS = 20, 16, 4
# So long a client waits for an answer at most: the store tries again for 5 s, and a connection may take as long.
PATIENCE_SECONDS = 30
NAMES = [f"node-{number}" for number in range(1, HOSTS + 1)]


class Client:
    """One client of the API, with a connection that it keeps.

    Attributes:
        answers: how many of each status it got.
        wrong: what should not have come.
    """

    def __init__(self, port: int) -> None:
        self.answers: Counter[int] = Counter()
        self.wrong: list[str] = []
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)

    def send(self, method: str, path: str, body: object = None) -> Any:
        """Give the body of a good answer, ``None`` where the database is away; everything else is wrong."""
        content = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, path, content, {"Content-Type": "application/json"})
            answer = self._connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.wrong.append(f"{method} {path}: {error!r}")
            self._connection.close()
            return None
        self.answers[answer.status] += 1
        if answer.status in (200, 201):
            return json.loads(said)
        if answer.status != 503 or not answer.headers["Retry-After"]:
            self.wrong.append(f"{method} {path}: {answer.status} {answer.headers.items()} {said!r}")
        return None

    def close(self) -> None:
        self._connection.close()

    def expect(self, given: object, wanted: object, what: str) -> None:
        if given != wanted:
            self.wrong.append(f"{what}: {given!r} instead of {wanted!r}")


def read(client: Client) -> None:
    """Ask for what does not change, once round."""
    listed = client.send("GET", "/v2.1/os-hypervisors")
    if listed is not None:
        client.expect([one["hypervisor_hostname"] for one in listed["hypervisors"]], NAMES, "os-hypervisors")
    services = client.send("GET", "/v2.1/os-services")
    if services is not None:
        client.expect([one["host"] for one in services["services"]], NAMES, "os-services")
    statistics = client.send("GET", "/v2.1/os-hypervisors/statistics")
    if statistics is not None:
        client.expect(statistics["hypervisor_statistics"]["vcpus"], 8 * HOSTS, "statistics")
    shown = client.send("GET", "/v1/hosts/node-7")
    if shown is not None:
        client.expect((shown["hostname"], shown["cpus"]), ("node-7", 8), "/v1/hosts/node-7")


class Writer:
    """Writes one workload again and again, each time with more memory, and reads it back."""

    def __init__(self, number: int) -> None:
        self._uuid = vm_uuid(number)
        self._host = f"node-{number}"
        # What may be stored: the last that was acknowledged, and what was sent since.
        self._possible: set[int] = set()
        self._sent = 0

    def __call__(self, client: Client) -> None:
        path = f"/v1/workloads/{self._uuid}"
        self._sent += 1
        body = {"name": "restart", "engine": "libvirt", "kind": "vm", "state": "running", "host": self._host}
        stored = client.send("PUT", path, {**body, "vcpus": 1, "memory_bytes": self._sent * 1024**2})
        self._possible = {self._sent} if stored is not None else self._possible | {self._sent}
        found = client.send("GET", path) if stored is not None else None
        if found is not None:
            client.expect(found["memory_bytes"] // 1024**2 in self._possible, True, path)


@pytest.fixture
def served(any_server: Server, agent: HostAgent, opened: Callable[..., Engine]) -> tuple[Server, Engine, int]:
    """Give a database of `HOSTS` hosts, an engine on it, and the port of the API before it."""
    engine = opened(any_server.url)
    migrate.create(engine)
    for number in range(1, HOSTS + 1):
        enlist(engine, number)
    port = free_port()
    settings = {
        "OS_CAPABILITY_DATABASE_URL": any_server.url,
        "OS_CAPABILITY_AGENT__DOWN_AFTER": "3600",
        "OS_CAPABILITY_API__MAX_WRITES_PER_MINUTE": "0",
    }
    process = agent.start("api", "--bind", f"127.0.0.1:{port}", **settings)
    wait_until(lambda: process.poll() is not None or _listens(port), "the API answers")
    assert process.poll() is None, agent.said()
    return any_server, engine, port


def test_a_restart_of_the_database_is_seen_as_503_and_nothing_worse(served: tuple[Server, Engine, int]) -> None:
    server, engine, port = served
    clients = [Client(port) for _ in range(READERS + WRITERS)]
    tasks = [read] * READERS + [Writer(number) for number in range(1, WRITERS + 1)]
    over = threading.Event()
    threads = [
        threading.Thread(target=_repeat, args=(task, client, over)) for task, client in zip(tasks, clients, strict=True)
    ]
    for thread in threads:
        thread.start()

    for stop in (server.stop, server.kill):
        time.sleep(SECONDS / 4)
        stop()
        time.sleep(SECONDS / 8)
        server.start()
    time.sleep(SECONDS / 4)
    over.set()
    for thread in threads:
        thread.join(PATIENCE_SECONDS + 10)

    last = Client(port)
    for task in tasks:
        task(last)
    for client in (*clients, last):
        client.close()
    assert [line for client in (*clients, last) for line in client.wrong] == []
    assert set(last.answers) <= {200, 201}, "it has recovered"
    total = sum((client.answers for client in clients), Counter[int]())
    assert total[200] > 20 * SECONDS
    assert total[503] > 0, "the restart was noticed"
    assert store.recount(engine) == 0, "no sum is wrong"


def _repeat(task: Callable[[Client], None], client: Client, over: threading.Event) -> None:
    while not over.wait(0.05):
        task(client)


def _listens(port: int) -> bool:
    client = Client(port)
    client.send("GET", "/v2.1/")
    client.close()
    return not client.wrong
