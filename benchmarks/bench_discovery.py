# SPDX-License-Identifier: Apache-2.0
"""What it takes to ask Docker what it runs: 500 containers behind a socket that replays what a real engine said.

    python benchmarks/bench_discovery.py [--containers 500] [--repeat 21]

``cold`` is the first look of a process, which inspects each container; ``warm`` every later one, which asks for the
list alone. The engine is replayed by a process of its own. The floor beside each figure is a bare socket that sends the
same requests and reads the same bytes, in the same run.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

# The engine's words are those of the tests.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from host_agent.workloads.discovery import Discovery
from host_agent.workloads.docker import DockerEngine
from host_agent.workloads.survey import Survey
from tests.host_agent.workloads.sockets import RECORDED

ENGINE = RECORDED / "docker-20.10"
LIST = "/containers/json?all=1"
GOAL_MILLISECONDS = 50.0
PIPELINED = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--containers", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=21)
    arguments = parser.parse_args()
    answers = replayed(arguments.containers)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/docker.sock"
        with listening(path) as server:
            engine = multiprocessing.get_context("fork").Process(target=serve, args=(server, answers), daemon=True)
            engine.start()
        try:
            measure(path, answers, arguments.repeat)
        finally:
            engine.terminate()
            engine.join()


def measure(path: str, answers: Mapping[str, bytes], repeat: int) -> None:
    containers = len(answers) - 2
    print(f"{containers} containers, median of {repeat}, Python {sys.version.split()[0]}")
    print(f"{'':<8}{'ms':>8}{'CPU ms':>8}{'requests':>10}{'MB':>8}{'floor ms':>10}{'x floor':>9}")
    known = survey(path)
    known.look()
    looks: dict[str, tuple[Callable[[], Discovery], list[str]]] = {
        "cold": (lambda: survey(path).look(), list(answers)),
        "warm": (known.look, [LIST]),
    }
    for name, (look, targets) in looks.items():
        assert len(look().workloads) == containers
        size = sum(len(answers[target]) for target in targets)
        fetched: Callable[[], None] = partial(fetch, path, targets, answers)
        (cpu,) = median(time.process_time, repeat, look)
        ours, floor = median(time.perf_counter, repeat, look, fetched)
        met = f"{'within' if ours <= GOAL_MILLISECONDS else 'OVER'} {GOAL_MILLISECONDS:g} ms"
        sizes = f"{len(targets):>10}{size / 1e6:>8.2f}"
        print(f"{name:<8}{ours:>8.2f}{cpu:>8.2f}{sizes}{floor:>10.2f}{ours / floor:>9.1f}  {met}")


def survey(path: str) -> Survey:
    return Survey([DockerEngine(path)], time_limit_seconds=60)


def median(clock: Callable[[], float], repeat: int, *calls: Callable[[], object]) -> list[float]:
    """Give the median times of calls in milliseconds, measured in turn."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeat):
        for call, taken in zip(calls, times, strict=True):
            started = clock()
            call()
            taken.append((clock() - started) * 1e3)
    return [statistics.median(taken) for taken in times]


def fetch(path: str, targets: list[str], answers: Mapping[str, bytes]) -> None:
    """Send the requests and read as many bytes as come, as a bare socket does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        for start in range(0, len(targets), PIPELINED):
            batch = targets[start : start + PIPELINED]
            connection.sendall(b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % target.encode() for target in batch))
            missing = sum(len(answers[target]) for target in batch)
            while missing:
                missing -= len(connection.recv(1 << 18))


def replayed(containers: int) -> dict[str, bytes]:
    """Give the answers of an engine with so many containers, each a copy of one that was recorded."""
    listed = json.loads((ENGINE / "list.json").read_text())
    inspected = {name: json.loads((ENGINE / f"{name}.json").read_text()) for name in ("one", "two", "three", "four")}
    answers = {"/info": response(json.loads((ENGINE / "info.json").read_text()))}
    whole = []
    for number in range(containers):
        model = listed[number % len(listed)]
        identifier = f"{number:064x}"
        whole.append(model | {"Id": identifier, "Names": [f"/container-{number}"]})
        copy = inspected[model["Names"][0].lstrip("/")] | {"Id": identifier, "Name": f"/container-{number}"}
        answers[f"/containers/{identifier}/json"] = response(copy)
    return {LIST: response(whole), **answers}


def response(value: object) -> bytes:
    body = json.dumps(value, separators=(",", ":")).encode()
    head = (
        "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\nDocker-Experimental: false\r\n"
        "Ostype: linux\r\nServer: Docker/20.10.24 (linux)\r\nDate: Sat, 21 Nov 2026 15:35:50 GMT\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def listening(path: str) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    return server


def serve(server: socket.socket, answers: Mapping[str, bytes]) -> None:
    """Answer one connection after the other, as fast as a process can."""
    while True:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            waiting = b""
            while data := connection.recv(1 << 16):
                *requests, waiting = (waiting + data).split(b"\r\n\r\n")
                connection.sendall(b"".join(answers[request.split(b" ", 2)[1].decode()] for request in requests))


if __name__ == "__main__":
    main()
