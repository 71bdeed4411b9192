# SPDX-License-Identifier: Apache-2.0
"""The service manager's notification socket, as sd_notify(3) describes it; silent where there is none."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

__all__ = ["Notifier"]


class Notifier:
    """Tells systemd how the daemon fares."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading @ is systemd's spelling of the NUL that starts an abstract address.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_seconds = _watchdog_seconds(environ)

    def ready(self) -> None:
        """Say that the start is done."""
        self._send("READY=1", flags=0)  # waits for a manager that is busy: without it the start would count as failed

    def status(self, line: str) -> None:
        """Give the line that ``systemctl status`` shows."""
        self._send(f"STATUS={line}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the daemon ends on purpose."""
        self._send("STOPPING=1")

    def _send(self, message: str, flags: int = socket.MSG_DONTWAIT) -> None:
        if not self._address:
            return
        # A manager that is restarting, or a socket gone, is no reason to fail: it asks again by its own time limits.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out,
        ):
            out.connect(self._address)
            out.send(message.encode(), flags)


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    """Give the limit after which systemd takes us for dead; ``None`` where it does not watch this process."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    watched = environ.get("WATCHDOG_PID", str(os.getpid()))
    if not microseconds.isdigit() or int(microseconds) == 0 or watched != str(os.getpid()):
        return None
    return int(microseconds) / 1_000_000
