# SPDX-License-Identifier: Apache-2.0
"""``/proc/PID/mountinfo``: what is mounted where.

    36 35 98:0 /inside /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue

Source: proc_pid_mountinfo(5).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Mount", "escaped", "parse_mountinfo"]

# What the kernel writes for characters that would end a field; the backslash is last because the others begin with it.
_ESCAPES = {" ": "\\040", "\t": "\\011", "\n": "\\012", "\\": "\\134"}


class Mount(NamedTuple):
    """One mount: which path `inside` its filesystem is seen at `mount_point`; `options` are the filesystem's."""

    inside: str
    mount_point: str
    type: str
    source: str
    options: str


def parse_mountinfo(text: str) -> Iterator[Mount]:
    """Yield the mounts; a line that is none is passed over."""
    for line in text.splitlines():
        place, _, filesystem = line.partition(" - ")
        fields = place.split()
        # The source may be empty.
        kind, _, rest = filesystem.partition(" ")
        source, _, options = rest.partition(" ")
        if len(fields) >= 5 and options:
            yield Mount(_plain(fields[3]), _plain(fields[4]), kind, source, options)


def escaped(path: str) -> str:
    """Give a path as the file writes it."""
    return "".join(_ESCAPES.get(character, character) for character in path)


def _plain(field: str) -> str:
    for character, escape in _ESCAPES.items():
        field = field.replace(escape, character)
    return field
