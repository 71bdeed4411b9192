# SPDX-License-Identifier: Apache-2.0
"""Small text files about the running system.

Source: proc(5), os-release(5).
"""

from __future__ import annotations

import re

from os_capability.errors import UnparsableText
from os_capability.number import whole_number

__all__ = [
    "parse_affinity",
    "parse_boot_time",
    "parse_given_name",
    "parse_loadavg",
    "parse_name",
    "parse_os_release",
    "parse_product_uuid",
    "parse_uptime",
]

_LONGEST_NAME = 256


def parse_name(text: str, source: str) -> str | None:
    """Give the one line that a file holds; blank is ``None``.

    Raises:
        UnparsableText: there are several lines, or one that no person could read.
    """
    name = text.strip("\0 \n")
    if len(name) > _LONGEST_NAME or not name.isprintable() or "\N{REPLACEMENT CHARACTER}" in name:
        raise UnparsableText(source, 1, name.split("\n")[0], "not one line of text")
    return name or None


# A host without a name; the machine id of an image that was never started, see machine-id(5).
_NOT_GIVEN = frozenset({"(none)", "uninitialized"})


def parse_given_name(text: str, source: str) -> str | None:
    """Give the host name or machine id that a file holds, ``None`` where the machine was not given one.

    Raises:
        UnparsableText: as `parse_name`.
    """
    name = parse_name(text, source)
    return None if name in _NOT_GIVEN else name


_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What thousands of boards have in common whose maker gave them no uuid: bytes counted up, in either order.
_NOBODYS_UUIDS = frozenset(
    {
        "00010203-0405-0607-0809-0a0b0c0d0e0f",
        "00020003-0004-0005-0006-000700080009",
        "03000200-0400-0500-0006-000700080009",
        "03020100-0504-0706-0809-0a0b0c0d0e0f",
        "10000000-0000-8000-0040-000000000000",
    }
)


def parse_product_uuid(text: str, source: str) -> str | None:
    """Give the firmware's uuid in lower case, ``None`` where it is one that no machine has for itself.

    Raises:
        UnparsableText: it is no uuid.
    """
    uuid = text.strip("\0 \n").lower()
    if uuid in ("", "not present", "not settable"):
        return None
    if not _UUID.fullmatch(uuid):
        raise UnparsableText(source, 1, uuid.split("\n")[0], "no uuid")
    # All 0 and all f are the standard's "none"; fe and ASCII letters fill the field on other boards.
    is_filled = uuid.replace("-", "") == uuid[:2] * 16
    return None if is_filled or uuid in _NOBODYS_UUIDS else uuid


def parse_os_release(text: str, source: str) -> str | None:
    """Give the name a person knows the system by: ``PRETTY_NAME``, else ``NAME``; the file may have neither.

    Raises:
        UnparsableText: no line is an assignment, or the name is not one line of text.
    """
    values = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals:
            values[name] = value.strip("\"'").replace('\\"', '"')
    if not values:
        raise UnparsableText(source, 1, text.split("\n")[0], "no line gives a value")
    return parse_name(values.get("PRETTY_NAME") or values.get("NAME") or "", source)


def parse_boot_time(stat: str, source: str) -> int | None:
    """Give ``btime`` of ``/proc/stat``: seconds since the epoch; ``None`` without such a line.

    Raises:
        UnparsableText: the line has no number.
    """
    for line_number, line in enumerate(stat.splitlines(), 1):
        if line.startswith("btime "):
            seconds = whole_number(line.removeprefix("btime ").strip(), 11)
            if seconds is None:
                raise UnparsableText(source, line_number, line, "btime has no number")
            return seconds
    return None


def parse_uptime(text: str, source: str) -> float:
    """Give the first number of ``/proc/uptime`` in seconds.

    Raises:
        UnparsableText: there is no number.
    """
    return _floats(text, 1, source)[0]


def parse_loadavg(text: str, source: str) -> tuple[float, ...]:
    """Give the three averages of ``/proc/loadavg``: over 1, 5 and 15 minutes.

    Raises:
        UnparsableText: there are no three numbers.
    """
    return _floats(text, 3, source)


def _floats(text: str, count: int, source: str) -> tuple[float, ...]:
    words = text.split(None, count)[:count]
    # float() would also take "nan" and "inf", which are no JSON numbers.
    if len(words) < count or any(whole_number(word.replace(".", "", 1), 20) is None for word in words):
        raise UnparsableText(source, 1, text.split("\n")[0], f"does not start with {count} numbers")
    return tuple(map(float, words))


def parse_affinity(status: str) -> str | None:
    """Give ``Cpus_allowed_list`` of ``/proc/self/status``, a kernel CPU list."""
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "Cpus_allowed_list":
            return value.strip()
    return None
