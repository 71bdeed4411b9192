# SPDX-License-Identifier: Apache-2.0
"""What a capture says that its machine concluded from no file: from a system call, a program, a namespace."""

from __future__ import annotations

from dataclasses import replace

from os_capability.errors import UnparsableText
from os_capability.linux import paths
from os_capability.linux.sources import Sources
from os_capability.model import System

__all__ = ["CONCLUDED", "read_conclusions"]

CONCLUDED = ("architecture", "virtualization", "view", "container", "view_evidence")


def read_conclusions(sources: Sources, system: System) -> System:
    """Give the system with what the captured machine concluded; as it is where the capture says nothing."""
    found = sources.parsed(paths.CAPTURED, _parse)
    return replace(system, **found) if found else system  # type: ignore[arg-type]


def _parse(text: str, source: str) -> dict[str, str | None]:
    import json  # only a capture needs it, showing a machine does not

    try:
        described = json.loads(text)["system"]
        found = {name: described[name] for name in CONCLUDED if name in described}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnparsableText(source, 1, text.partition("\n")[0], f"not what a capture concludes: {error}") from None
    if not all(value is None or isinstance(value, str) for value in found.values()) or found.get("view", "") is None:
        raise UnparsableText(source, 1, text.partition("\n")[0], "a conclusion is no text")
    return found
