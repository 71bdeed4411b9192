# SPDX-License-Identifier: Apache-2.0
"""``/sys/devices/system/node``: the distances between nodes.

Source: Documentation/ABI/stable/sysfs-devices-node.
"""

from __future__ import annotations

from collections.abc import Sequence

from os_capability.number import whole_number

__all__ = ["parse_distances"]


def parse_distances(text: str, online_nodes: Sequence[int]) -> dict[int, int] | None:
    """Give the distance to each online node by id: the row's columns follow the online nodes, which may have holes.

    ``None`` where the row is no table: another length than there are online nodes, or an old kernel's single ``0``.
    """
    row = [whole_number(word, 6) for word in text.rstrip("\0 \n").split()]
    distances = [distance for distance in row if distance]
    return dict(zip(online_nodes, distances, strict=True)) if len(distances) == len(row) == len(online_nodes) else None
