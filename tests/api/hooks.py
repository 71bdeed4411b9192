# SPDX-License-Identifier: Apache-2.0
"""What Schemathesis sends beside what it makes up: ids that are there, and versions on both sides of every change."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import schemathesis

_HOST = "00000000-0000-4000-8000-000000000001"
_WORKLOAD = "aaaaaaaa-0000-4000-8000-000000000001"
_IDS = {
    "hypervisor": ("1", _HOST, "node", "2"),
    "service": ("1", "disable", "force-down", "570f73fa-b9d1-5974-9158-8842a2f6df55"),
    "aggregate": ("1", "2"),
    "host": ("node-1", _HOST),
    "uuid": (_WORKLOAD, "bbbbbbbb-0000-4000-8000-000000000002"),
}
_MINORS = (1, 10, 11, 27, 28, 32, 33, 40, 41, 42, 43, 52, 53, 68, 69, 74, 75, 80, 81, 87, 88, 101, 102, 104)
_VERSIONS = {"compute": tuple(f"compute 2.{minor}" for minor in _MINORS), "container": ("container 1.40",)}
_HEADER = "OpenStack-API-Version"

# One in so many stays as it was made up.
_MADE_UP = 4


def map_path_parameters(_context: object, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Put an id that is there in the place of most that are not."""
    if path_parameters is not None:
        for name in path_parameters.keys() & _IDS.keys():
            path_parameters[name] = _chosen(path_parameters[name], _IDS[name])
    return path_parameters


def map_headers(_context: object, headers: dict[str, Any] | None) -> dict[str, Any] | None:
    """Ask for versions between which something changed."""
    if headers is not None and _HEADER in headers:
        service = str(headers[_HEADER]).partition(" ")[0]
        if service in _VERSIONS:
            headers[_HEADER] = _chosen(headers[_HEADER], _VERSIONS[service])
    return headers


def _chosen(made_up: object, known: tuple[str, ...]) -> object:
    # The same for the same, so that what failed can be repeated.
    number = crc32(repr(made_up).encode())
    return made_up if number % _MADE_UP == 0 else known[number // _MADE_UP % len(known)]


for hook in (map_path_parameters, map_headers):
    schemathesis.hook(hook)
