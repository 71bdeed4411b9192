# SPDX-License-Identifier: Apache-2.0
"""`host-agent api` as systemd starts it: sockets, signals, certificates, databases that come and go."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from host_agent.store import create_token, migrate
from host_agent.store.engine import Engine
from tests.beds import absent
from tests.host_agent.process.conftest import HostAgent
from tests.host_agent.servers import Server, free_port

ZONES = "/v2.1/os-availability-zone"
AGGREGATES = "/v2.1/os-aggregates"


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    text: str


class Api:
    """The command, started; what it answers."""

    def __init__(self, agent: HostAgent, *arguments: str, **environment: str) -> None:
        self.port = free_port()
        self._agent = agent
        self.process = agent.start("api", "--bind", f"127.0.0.1:{self.port}", *arguments, **environment)

    def get(self, path: str = ZONES, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with closing(connection):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, headers, answer.read().decode())

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def listens(self) -> bool:
        assert self.process.poll() is None, self._agent.said()
        with suppress(OSError):
            self.connect().close()
            return True
        return False

    def workers(self) -> list[int]:
        task = Path(f"/proc/{self.process.pid}/task")
        return [int(pid) for children in task.glob("*/children") for pid in children.read_text().split()]


@pytest.fixture
def api(agent: HostAgent, eventually: Callable[[Callable[[], object]], None]) -> Callable[..., Api]:
    """Give what starts it and waits until it listens."""
    agent.environment["OS_CAPABILITY_API__WORKERS"] = "1"

    def start(*arguments: str, **environment: str) -> Api:
        started = Api(agent, *arguments, **environment)
        eventually(started.listens)
        return started

    return start


def refused(agent: HostAgent, *arguments: str, **environment: str) -> str:
    """Give the one line that it ends with, before it has begun."""
    answer = agent("api", *arguments, **environment)
    assert (answer.code, answer.out) == (2, "")
    (line,) = answer.err.splitlines()
    return line


def test_it_serves_a_machine_of_its_own_without_any_setting(agent: HostAgent, api: Callable[..., Api]) -> None:
    agent.on_machine("node-1")
    assert agent("once").code == 0
    served = api()

    listed = json.loads(served.get("/v2.1/os-hypervisors").text)
    assert [host["hypervisor_hostname"] for host in listed["hypervisors"]] == ["node-1"]
    assert served.get(ZONES, Host="evil.example").status == 403
    # A connection is kept, as every client wants it.
    with closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)) as connection:
        connection.connect()
        before = connection.sock
        for _ in range(3):
            connection.request("GET", ZONES)
            connection.getresponse().read()
        assert connection.sock is before


def test_a_stop_lets_what_is_asked_be_answered_and_is_quick(agent: HostAgent, api: Callable[..., Api]) -> None:
    served = api()
    with closing(served.connect()) as asked:
        body = b'{"aggregate": {"name": "one"}}'
        asked.sendall(f"POST {AGGREGATES} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        time.sleep(0.3)
        started = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        asked.sendall(body)
        assert asked.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
    assert served.process.wait(20) == 0
    assert time.monotonic() - started < 5


def test_a_killed_worker_is_replaced_and_none_stays_behind_a_killed_parent(
    agent: HostAgent, api: Callable[..., Api], eventually: Callable[[Callable[[], object]], None]
) -> None:
    served = api()
    (worker,) = served.workers()
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: served.workers() not in ([], [worker]))
    eventually(served.listens)
    assert served.get().status == 200

    served.process.kill()
    served.process.wait()
    eventually(lambda: not _accepts(served))


def _accepts(served: Api) -> bool:
    try:
        served.connect().close()
    except ConnectionRefusedError:
        return False
    return True


TOO_MUCH = (
    ("GET / HTTP/1.1\r\n" + "".join(f"X-{number}: y\r\n" for number in range(10_000)), b"431"),
    ("GET / HTTP/1.1\r\nX: " + "y" * 1_000_000 + "\r\n", b"431"),
    (f"GET /{'x' * 200_000} HTTP/1.1\r\n", b"431"),
    ("GET\r\n", b"400"),
    ("POST /v2.1/os-aggregates HTTP/1.1\r\nContent-Length: -1\r\n", b"400"),
)


def test_whatever_a_client_sends_the_others_are_answered(api: Callable[..., Api]) -> None:
    served = api()
    slow = [served.connect() for _ in range(60)]
    for connection in slow[::2]:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A")
    started = time.monotonic()
    assert served.get().status == 200
    assert time.monotonic() - started < 5
    for connection in slow:
        connection.close()

    for head, status in TOO_MUCH:
        with closing(served.connect()) as connection:
            # It may answer, and close, before it has read all.
            with suppress(ConnectionError):
                connection.sendall(f"{head}Host: localhost\r\n\r\n".encode())
            with suppress(ConnectionError):
                assert connection.recv(4096)[9:12] == status
        assert served.get().status == 200

    # And what is only unusual is taken.
    with closing(served.connect()) as connection:
        body = b'{"aggregate": {"name": "in-chunks"}}'
        head = f"POST {AGGREGATES} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")


def test_it_answers_503_while_the_database_is_away_and_goes_on_by_itself(
    agent: HostAgent, api: Callable[..., Api], any_server: Server, opened: Callable[[str], Engine]
) -> None:
    engine = opened(any_server.url)
    migrate.create(engine)
    token = create_token(engine, "t", "reader")
    any_server.stop()
    agent.environment |= {"OS_CAPABILITY_DATABASE_URL": any_server.url, "OS_CAPABILITY_API__AUTH": "token"}
    served = api()

    def status() -> tuple[int, str | None]:
        answer = served.get(**{"X-Auth-Token": token})
        return answer.status, answer.headers.get("retry-after")

    assert status() == (503, "5")
    any_server.start()
    assert status() == (200, None)
    any_server.kill()
    assert status() == (503, "5")
    any_server.start()
    # Whatever connection is taken, it was one to the server before.
    assert [status() for _ in range(5)] == [(200, None)] * 5
    assert "pass-word" not in agent.said()
    assert token not in agent.said()


def test_systemd_is_told_when_it_answers_and_when_it_ends(agent: HostAgent, tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        assert not agent.state.exists(), "it begins where nothing was before"
        served = Api(agent, NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert manager.recv(100) == b"READY=1"
        assert json.loads(served.get("/v2.1/os-hypervisors").text) == {"hypervisors": []}
        assert agent.database.stat().st_mode & 0o777 == 0o640
        served.process.send_signal(signal.SIGTERM)
        assert manager.recv(100) == b"STOPPING=1"
        assert served.process.wait(20) == 0


def test_each_line_of_the_log_has_the_id_of_the_answer(agent: HostAgent, api: Callable[..., Api]) -> None:
    served = api(OS_CAPABILITY_DEFAULT__USE_JSON="true")
    answer = served.get()
    lines = [json.loads(line) for line in agent.said().splitlines()]

    (line,) = [line for line in lines if "request_id" in line]
    assert line["request_id"] == answer.headers["x-openstack-request-id"]
    assert f"GET {ZONES} 200 by anybody" in line["message"]


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """Give the files of a certificate for localhost and of its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        absent("no openssl")
    files = str(tmp_path / "certificate.pem"), str(tmp_path / "key.pem")
    # A short key: nobody breaks it in a test.
    new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    named = ["-addext", "subjectAltName=DNS:localhost", "-out", files[0], "-keyout", files[1]]
    subprocess.run([openssl, *new, *named], check=True, capture_output=True)
    return files


def tls(certificate: str, key: str) -> dict[str, str]:
    return {"OS_CAPABILITY_API__TLS_CERTIFICATE": certificate, "OS_CAPABILITY_API__TLS_KEY": key}


def test_it_speaks_tls_and_nothing_else_there(api: Callable[..., Api], certificate: tuple[str, str]) -> None:
    served = api(**tls(*certificate))
    context = ssl.create_default_context(cafile=certificate[0])
    connection = http.client.HTTPSConnection("localhost", served.port, timeout=30, context=context)
    with closing(connection):
        connection.request("GET", "/v2.1")
        answer = connection.getresponse()
        assert answer.status == 200
        assert f"https://localhost:{served.port}/v2.1/" in answer.read().decode()
    with closing(served.connect()) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert not plain.recv(4096).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("no-key", "tls_key = {key} is not valid: No such file or directory"),
        ("closed-certificate", "tls_certificate = {certificate} is not valid: Is a directory"),
        ("old-form", "tls_key = {key} is not valid: no key in PKCS #8"),
        ("another-key", "tls_certificate = {certificate} is not valid: no certificate, or not that of {key}"),
        ("no-certificate", "tls_certificate = {certificate} is not valid: no certificate"),
    ],
)
def test_a_certificate_that_will_not_do_is_one_line(
    agent: HostAgent, certificate: tuple[str, str], wrong: str, reason: str
) -> None:
    text, key = map(Path, certificate)
    match wrong:
        case "no-key":
            key.unlink()
        case "closed-certificate":
            text = text.parent
        case "old-form":
            key.write_text(key.read_text().replace(" PRIVATE", " RSA PRIVATE"))
        case "another-key":
            new = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key)]
            subprocess.run(new, check=True, capture_output=True)
        case _:
            text.write_text("nothing")
    line = refused(agent, **tls(str(text), str(key)))
    assert reason.format(certificate=text, key=key) in line


def test_an_address_that_will_not_do_is_one_line(agent: HostAgent) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        line = refused(agent, "--bind", f"127.0.0.1:{taken.getsockname()[1]}")
    assert line.endswith("is not valid: Address already in use")


@pytest.mark.parametrize(
    ("bind", "auth", "reason"),
    [
        ("0.0.0.0:8775", "none", "only this machine may reach it"),
        ("[::]:8775", "none", "only this machine may reach it"),
        ("127.0.0.1:99999", "none", "there is no such port"),
        ("192.0.2.1:8775", "token", "Cannot assign requested address"),
        ("example:8775", "none", "ADDRESS:PORT"),
    ],
)
def test_one_that_is_none_or_too_open_is_as_well(agent: HostAgent, bind: str, auth: str, reason: str) -> None:
    assert reason in refused(agent, "--bind", bind, OS_CAPABILITY_API__AUTH=auth)


def test_a_schema_that_is_older_is_one_line(agent: HostAgent, sqlite_url: str, opened: Callable[[str], Engine]) -> None:
    opened(sqlite_url).connect().close()
    assert agent.start("api", OS_CAPABILITY_DATABASE_URL=sqlite_url).wait(30) == 4
    (line,) = agent.said().splitlines()
    assert line.endswith("run `host-agent db upgrade`")


FOREIGN = """\
from falcon import testing
import host_agent.api
client = testing.TestClient(host_agent.api.application)
assert host_agent.api.application is client.app
for host in "localhost", "evil.example":
    print(client.simulate_get("/v2.1/os-aggregates", headers={"Host": host}, remote_addr="127.0.0.1").status_code)
"""


def test_another_wsgi_server_finds_the_application_by_its_name(agent: HostAgent) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FOREIGN], env=agent.environment, cwd=agent.folder, capture_output=True, text=True
    )
    assert done.stdout.split() == ["200", "403"], done.stderr


FORKED = """\
import os, sys
from falcon import testing
from host_agent.api import application
client = testing.TestClient(application)

def status():
    answer = client.simulate_get("/v2.1/os-aggregates", headers={"Host": "localhost"}, remote_addr="127.0.0.1")
    return answer.status_code

assert status() == 200  # connects, before it forks
children = []
for _ in range(4):
    if not (pid := os.fork()):
        os._exit(0 if {status() for _ in range(50)} == {200} else 1)
    children.append(pid)
assert {status() for _ in range(50)} == {200}
assert {os.waitpid(pid, 0)[1] for pid in children} == {0}
"""


def test_workers_that_a_server_forks_from_it_share_no_connection(
    agent: HostAgent, postgresql_url: str, opened: Callable[[str], Engine]
) -> None:
    migrate.create(opened(postgresql_url))
    done = subprocess.run(
        [sys.executable, "-c", FORKED],
        env=agent.environment | {"OS_CAPABILITY_DATABASE_URL": postgresql_url},
        cwd=agent.folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
