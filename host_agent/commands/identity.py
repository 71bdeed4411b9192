# SPDX-License-Identifier: Apache-2.0
"""``host-agent identity``: who this host is to the database, and what mends it after cloning and losing."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from host_agent.commands.answer import EXIT_NO, Answer, Failed
from host_agent.commands.arguments import Parser, add_command, add_commands, configuration

if TYPE_CHECKING:
    from host_agent.settings import Settings

__all__ = ["add_arguments"]

_AFTERWARDS = "start the agent for it to take effect"
_UNKNOWN = "unknown"


def add_arguments(parser: Parser) -> None:
    """Add the commands of the family."""
    commands = add_commands(parser)
    add_command(commands, "show", _show, "the uuid, the name, and what the machine calls itself")
    add_command(commands, "reset", _reset, "make this a host of its own: it was cloned from another one")
    adopt = add_command(commands, "adopt", _adopt, "make this the host of a row that is there")
    adopt.add_argument("uuid", metavar="UUID", help="the uuid of that row")
    add_command(commands, "forget", _forget, "remove all that is this machine's, before an image is taken of it")


def _show(asked: argparse.Namespace) -> Answer:
    from host_agent.identity import LocalIdentity
    from os_capability import load_driver

    settings = configuration(asked).settings
    source = next((path for path in _uuid_files(settings) if path.exists()), None)
    if source is None:
        raise Failed(
            f"this host has no identity yet: the agent's first start makes one in {settings.state_path}", EXIT_NO
        )
    identity = LocalIdentity(
        settings.state_path, host=settings.host, my_ip=settings.my_ip, host_uuid_file=settings.host_uuid_file
    )
    known = identity.current()
    machine = load_driver(settings.agent.root, settings.agent.source).identify()
    rows = {
        "uuid": f"{identity.uuid}, from {source}",
        "host": "not registered yet" if known is None else f"{known.host}, {known.host_ip}",
        "machine": machine.hostname or _UNKNOWN,
        "machine id": machine.machine_id or _UNKNOWN,
        "product uuid": machine.product_uuid
        or (_UNKNOWN if os.geteuid() == 0 else f"{_UNKNOWN}; only root may read it"),
        "boot id": machine.boot_id or _UNKNOWN,
    }
    return Answer("\n".join(f"{name:<14}{text}" for name, text in rows.items()))


def _reset(asked: argparse.Namespace) -> Answer:
    from host_agent.identity import reset
    from host_agent.state_lock import state_lock

    settings = _with_directory(asked)
    with state_lock(settings.state_path):
        made = reset(settings.state_path, settings.host_uuid_file)
    return Answer(f"this host is {made} from now on, a host of its own: {_AFTERWARDS}")


def _adopt(asked: argparse.Namespace) -> Answer:
    from host_agent.identity import adopt
    from host_agent.state_lock import state_lock

    settings = _with_directory(asked)
    with state_lock(settings.state_path):
        adopt(settings.state_path, settings.host_uuid_file, asked.uuid)
    return Answer(f"this host is {asked.uuid.lower()} from now on: {_AFTERWARDS}")


def _forget(asked: argparse.Namespace) -> Answer:
    from host_agent.identity import forget
    from host_agent.state_lock import state_lock

    settings = configuration(asked).settings
    if not settings.state_path.exists():
        return Answer("there was nothing to forget")
    with state_lock(settings.state_path):
        removed = forget(settings.state_path)
    if not removed:
        return Answer("there was nothing to forget")
    names = "\n".join(f"removed {path}" for path in removed)
    return Answer(f"{names}\nthis machine has no identity any more: take the image before the agent starts again")


def _with_directory(asked: argparse.Namespace) -> Settings:
    from host_agent.identity import make_state_directory

    settings = configuration(asked).settings
    make_state_directory(settings.state_path)
    return settings


def _uuid_files(settings: Settings) -> tuple[Path, ...]:
    """Give the files that may hold the uuid, the one that decides first."""
    return Path(settings.host_uuid_file), settings.state_path / "host_uuid"
