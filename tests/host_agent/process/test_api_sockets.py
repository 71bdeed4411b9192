# SPDX-License-Identifier: Apache-2.0
"""`host-agent api` over sockets: requests that are none, and workers that add up."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.host_agent.process.conftest import HostAgent
from tests.host_agent.servers import free_port

ZONES = "/v2.1/os-availability-zone"
HOST = b"Host: 127.0.0.1\r\n"

BROKEN = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "an endless request line": b"GET /" + b"a" * 300_000,
    "a NUL in the path": b"GET /v1/\0 HTTP/1.1\r\n" + HOST + b"\r\n",
    "no ASCII in the path": b"GET /v1/hosts/\xff\xfe HTTP/1.1\r\n" + HOST + b"\r\n",
    "climbing": b"GET /../../../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n",
    "another server's URL": b"GET http://192.0.2.1/v1/hosts HTTP/1.1\r\n" + HOST + b"\r\n",
    "no such version": b"GET /v1/hosts HTTP/9.9\r\n" + HOST + b"\r\n",
    "a flood of headers": b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X-%d: x\r\n" % n for n in range(5000)) + b"\r\n",
    "a header of megabytes": b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 2_000_000 + b"\r\n\r\n",
    "two lengths": b"PUT /v1/workloads/1 HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a negative length": b"PUT /v1/workloads/1 HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n{}",
    "a length and chunks": b"PUT /v1/workloads/1 HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/hosts HTTP/1.1\r\n\r\n",
    "chunks that are none": b"PUT /v1/workloads/1 HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\n" + HOST + b": x\r\n\r\n",
    "folded headers": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
}


class Served:
    def __init__(self, agent: HostAgent, eventually: Callable[..., None], workers: int) -> None:
        self.port = free_port()
        agent.environment["OS_CAPABILITY_API__WORKERS"] = str(workers)
        self.process = agent.start("api", "--bind", f"127.0.0.1:{self.port}")
        eventually(self.answers)

    def answers(self) -> bool:
        assert self.process.poll() is None
        try:
            return self.get("/healthcheck/live")[0] == 200
        except OSError:
            return False

    def get(self, path: str) -> tuple[int, str]:
        # Each time another connection: whichever worker takes it.
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


def sent(port: int, request: bytes) -> bytes:
    """Give what comes back of a request, until the server has no more to say."""
    told = b""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as asked:
        try:
            asked.sendall(request)
            while piece := asked.recv(65536):
                told += piece
        except OSError:
            pass  # it says no more, or has closed while this one still talked
    return told


@pytest.fixture
def served(agent: HostAgent, eventually: Callable[..., None], request: pytest.FixtureRequest) -> Served:
    return Served(agent, eventually, getattr(request, "param", 1))


def test_a_request_that_is_none_is_refused_and_the_next_is_answered(served: Served) -> None:
    for what, request in BROKEN.items():
        told = sent(served.port, request)
        statuses = [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", told)]
        assert all(status < 500 for status in statuses), f"{what}: {told[:300]!r}"
        assert re.search(rb"Traceback|root:x:|host_agent/|\.py\b", told) is None, f"{what}: {told[:300]!r}"
        assert len(statuses) <= 1, f"{what}: one request has {len(statuses)} answers"
    assert served.get("/healthcheck")[0] == 200


@pytest.mark.parametrize("served", [2], indirect=True)
def test_any_worker_tells_what_all_of_them_answered(served: Served) -> None:
    for _ in range(40):
        assert served.get(ZONES)[0] == 200

    sample = re.compile(rf'requests_total{{route="{ZONES}",method="GET",status="2xx"}} (\d+)')
    for _ in range(10):
        told = sample.search(served.get("/metrics")[1])
        assert told is not None
        assert told[1] == "40"
