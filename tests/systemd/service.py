# SPDX-License-Identifier: Apache-2.0
"""The agent as a service of a container's systemd."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.systemd.container import Container, until

__all__ = ["CONFIG_FILE", "STATE", "UNIT", "WELL", "Service"]

UNIT = "os-capability-agent.service"
CONFIG_FILE = "/etc/os-capability/host-agent.conf"
STATE = "/var/lib/os-capability"
# What `systemctl status` shows of an agent whose last report was stored.
WELL = "the row of this host is up to date"

_DROP_INS = f"/etc/systemd/system/{UNIT}.d"
_QUICK = "[agent]\nrefresh_interval = 1\nreport_interval = 1\n"


class Service:
    """The unit, its settings and what it stored; `program` is the command it starts."""

    def __init__(self, container: Container, program: str) -> None:
        self.container = container
        self.program = program

    def configure(self, settings: str = "") -> None:
        """Write the settings file: short intervals, and what the test adds."""
        self.container.write(CONFIG_FILE, _QUICK + settings)
        self.container.run("systemd-tmpfiles", "--create", "os-capability.conf")

    def install(self, wheel: Path) -> None:
        """Install another build of ours over that which is there."""
        pip = self.program.replace("host-agent", "pip")
        self.container.run(pip, "install", "--quiet", "--no-deps", "--force-reinstall", f"/packages/{wheel.name}")

    def drop_in(self, text: str) -> None:
        """Change the unit as an operator would."""
        self.container.write(f"{_DROP_INS}/test.conf", text)
        self.container.run("systemctl", "daemon-reload")

    def start(self) -> None:
        """Start it; with Type=notify this returns when it says that it is ready."""
        self.container.run("systemctl", "start", UNIT)

    def stop(self) -> None:
        """Stop it in order."""
        self.container.run("systemctl", "stop", UNIT)

    def property(self, name: str) -> str:
        """Give one property, as ``systemctl show`` has it."""
        return self.container.run("systemctl", "show", f"--property={name}", "--value", UNIT).stdout.strip()

    def kill(self, signal: str) -> None:
        """Send the main process a signal."""
        self.container.run("systemctl", "kill", f"--signal={signal}", "--kill-who=main", UNIT)

    def ask(self, *arguments: str) -> str:
        """Give what the command prints, run by root."""
        return self.container.run(self.program, *arguments).stdout

    def rows(self) -> list[dict[str, Any]]:
        """Give the stored rows; none before the schema is there."""
        listed = self.container.run(self.program, "hosts", "list", "-f", "json", check=False)
        return json.loads(listed.stdout) if listed.returncode == 0 else []

    def row(self) -> dict[str, Any]:
        """Give the one row that there is, as soon as it is there."""
        # Whoever asks first makes the embedded database: that has to be the service.
        until(lambda: self.property("ActiveState") == "active", "it is active")
        (row,) = until(self.rows, "there is a row")
        return row

    def is_back(self, restarts: int) -> bool:
        """Tell whether systemd has started it again so many times, and it is ready."""
        return self.property("NRestarts") == str(restarts) and self.property("ActiveState") == "active"

    def journal(self) -> str:
        """Give what it said, without systemd's time stamps."""
        return self.container.run("journalctl", f"--unit={UNIT}", "--output=cat", "--no-pager").stdout

    def clear(self) -> None:
        """Leave nothing of a test to the next."""
        self.container.run("systemctl", "stop", UNIT)
        self.container.run(
            *("rm", "-rf", f"{_DROP_INS}/test.conf", CONFIG_FILE, "/etc/default/os-capability-agent"),
            *(STATE, "/var/lib/private/os-capability"),
        )
        self.container.run("systemctl", "daemon-reload")
        self.container.run("systemctl", "reset-failed")
        self.container.run("journalctl", "--rotate", "--vacuum-time=1us")
