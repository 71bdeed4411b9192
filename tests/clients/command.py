# SPDX-License-Identifier: Apache-2.0
"""The command ``openstack`` inside the tests' process: half a second of imports once, and not for each command."""

from __future__ import annotations

import io
import json
import logging
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from openstackclient.shell import OpenStackShell
from osc_lib.clientmanager import ClientCache, ClientManager

__all__ = ["OpenStack", "run"]


class OpenStack:
    """Runs commands; where to is in the environment, as for the command itself.

    Attributes:
        version: of the compute API; ``None`` leaves it to the client.
    """

    def __init__(self, version: str | None = None) -> None:
        self.version = version

    def __call__(self, command: str) -> Any:
        """Give what a command that succeeds prints, decoded where it is a table or one thing."""
        code, printed, told = run(self._words(command))
        assert code == 0, f"{command}: {printed}{told}"
        return json.loads(printed) if printed.strip() else None

    def fails(self, command: str) -> str:
        """Give what a command that fails says."""
        code, printed, told = run(self._words(command))
        assert code != 0, f"{command}: {printed}"
        return told

    def _words(self, command: str) -> list[str]:
        chosen = [] if self.version is None else ["--os-compute-api-version", self.version]
        words = command.split()
        return [*chosen, *words, *(["-f", "json"] if _prints(words) else [])]


def run(words: list[str]) -> tuple[int, str, str]:
    """Run a command and give its exit code, and what it wrote to standard output and to standard error."""
    printed, told = io.StringIO(), io.StringIO()
    _forget_clients()
    handlers = logging.root.handlers[:]
    try:
        with redirect_stdout(printed), redirect_stderr(told):
            code: int = OpenStackShell().run(words)
    finally:
        # Each shell adds its own, which would write into the output of this one for ever.
        logging.root.handlers[:] = handlers
    return code, printed.getvalue(), told.getvalue()


def _forget_clients() -> None:
    """Make the next command a new one: the last one's connection is kept for as long as the process lives."""
    for member in vars(ClientManager).values():
        if isinstance(member, ClientCache):
            member._handle = None


def _prints(words: list[str]) -> bool:
    """Tell whether a command prints what there is or has become, and not just does what it is told."""
    return bool({"list", "show", "create"} & set(words)) or words[:2] in (["aggregate", "add"], ["aggregate", "remove"])
