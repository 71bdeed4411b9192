# SPDX-License-Identifier: Apache-2.0
"""The notification socket: real datagrams, or nothing at all."""

from __future__ import annotations

import os
import socket
import uuid
from pathlib import Path

import pytest

from host_agent.notify import Notifier


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_each_message_is_one_datagram(kind: str, tmp_path: Path) -> None:
    name = str(tmp_path / "notify") if kind == "path" else f"@os-capability-test-{uuid.uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name if kind == "path" else "\0" + name[1:])
        manager.settimeout(5)
        notifier = Notifier({"NOTIFY_SOCKET": name})

        notifier.ready()
        notifier.status("all well")
        notifier.alive()
        notifier.stopping()

        heard = [manager.recv(100) for _ in range(4)]
    assert heard == [b"READY=1", b"STATUS=all well", b"WATCHDOG=1", b"STOPPING=1"]


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nonexistent/notify"}])
def test_without_a_manager_nothing_happens(environ: dict[str, str]) -> None:
    Notifier(environ).ready()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_only_ours_if_systemd_says_so(environ: dict[str, str], seconds: float | None) -> None:
    assert Notifier(environ).watchdog_seconds == seconds


def test_a_manager_that_does_not_listen_holds_nobody_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        for _ in range(10_000):  # more than any kernel keeps for it
            notifier.alive()
