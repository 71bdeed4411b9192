# SPDX-License-Identifier: Apache-2.0
"""``/sys/devices/system/node``: folder names and distances.

Source: Documentation/ABI/stable/sysfs-devices-node.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["numbered", "parse_distances"]


def numbered(names: Sequence[str], prefix: str) -> list[int]:
    """Give the ids of the folders ``<prefix><id>``, ascending; ``node/power`` and ``cpu/cpufreq`` are passed over."""
    ids = (name[len(prefix) :] for name in names if name.startswith(prefix))
    return sorted(int(number) for number in ids if number.isascii() and number.isdigit() and len(number) <= 6)


def parse_distances(text: str, online_nodes: Sequence[int]) -> dict[int, int] | None:
    """Give the distance to each online node by id: the row's columns follow the online nodes, which may have holes.

    ``None`` where the row is no table: another length than there are online nodes, or an old kernel's single ``0``.
    """
    words = text.rstrip("\0 \n").split()
    if len(words) != len(online_nodes) or not all(w.isascii() and w.isdigit() and len(w) <= 6 for w in words):
        return None
    row = [int(word) for word in words]
    return None if 0 in row else dict(zip(online_nodes, row, strict=True))
