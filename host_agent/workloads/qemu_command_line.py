# SPDX-License-Identifier: Apache-2.0
"""What a QEMU was started with says of its machine. Pure.

    -name guest=web,debug-threads=on -m size=4194304k,slots=16,maxmem=8388608k -smp 2,maxcpus=4,sockets=4 -uuid 5b8e...

Source: qemu(1).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["QemuMachine", "parse_qemu_command_line"]

# A number alone is in MiB.
_UNITS = {"": 1 << 20, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"([0-9]{1,15})([bkmgt]?)", re.ASCII | re.IGNORECASE)
_COUNT = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class QemuMachine:
    """A virtual machine; ``None`` is what its command line does not tell.

    Attributes:
        uuid: as its guest sees it, and as libvirt and Nova know it.
        name: what it was called when it was started.
        vcpus: CPUs it started with.
        memory_bytes: memory it started with.
    """

    uuid: str | None = None
    name: str | None = None
    vcpus: int | None = None
    memory_bytes: int | None = None


def parse_qemu_command_line(arguments: Sequence[str]) -> QemuMachine | None:
    """Read the arguments, the program's own name first.

    Returns:
        ``None`` where the program is no QEMU.
    """
    program = arguments[0].rpartition("/")[2] if arguments else ""
    if not ("qemu" in program or program == "kvm"):
        return None
    options = {name.lstrip("-"): value for name, value in pairwise(arguments) if name.startswith("-")}
    return QemuMachine(
        uuid=_uuid(options.get("uuid", "")),
        name=_value(options.get("name", ""), "guest") or None,
        vcpus=_count(_value(options.get("smp", ""), "cpus")),
        memory_bytes=_size(_value(options.get("m", ""), "size")),
    )


def _value(text: str, wanted: str) -> str:
    """Give one value of an option; `wanted` is the one whose name may be left out when it is the first."""
    # A comma that belongs to a value is written twice; no argument holds a NUL.
    for at, part in enumerate(text.replace(",,", "\0").split(",")):
        name, equals, value = part.partition("=")
        if name == wanted and equals:
            return value.replace("\0", ",")
        if at == 0 and not equals:
            return name.replace("\0", ",")
    return ""


def _uuid(text: str) -> str | None:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


def _count(text: str) -> int | None:
    return int(text) or None if _COUNT.fullmatch(text) else None


def _size(text: str) -> int | None:
    found = _SIZE.fullmatch(text)
    return int(found[1]) * _UNITS[found[2].lower()] or None if found else None
