# SPDX-License-Identifier: Apache-2.0
"""The digest of a host's document: equal while the machine stays the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

__all__ = ["facts_digest"]

# What moves by itself while the machine stays the same. Narrow columns of the row carry the figures that matter,
# and are written every time; if they counted here, the wide document would be written every time as well.
# reserved, surplus: counts of huge pages that rise and fall with every process that maps some.
# product_uuid: only root is shown it, so that root's `once` and the service would take turns.
# memory_total_bytes of a node: Firecracker guests (kernel 6.18 seen) count a page once it is first touched, so that
# it grows for as long as they run. Memory plugged in or out shows in memory.total_bytes, which does count.
_VOLATILE = frozenset(
    {
        "collected_at",
        "uptime_seconds",
        "load_average",
        "users",
        "slab_reclaimable_bytes",
        "shmem_bytes",
        "reserved",
        "surplus",
        "memory_total_bytes",
        "product_uuid",
    }
)
_VOLATILE_WORDS = frozenset({"free", "available", "buffers", "cached"})
# A warning that tells of a move between two readings, not of the machine; the moved facts count themselves.
_VOLATILE_WARNING = "topology-changed"


def facts_digest(document: Mapping[str, object]) -> str:
    """Give the SHA-256 (64 hex digits) of a document without what moves by itself.

    Left out at any depth: the moment of collection, uptime, load, users, every figure of free, available, buffered or
    cached memory, the product uuid, and the warning that something moved since the last reading.
    """
    text = json.dumps(_settled(document), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _settled(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _settled(item) for key, item in value.items() if not _is_volatile(key, item)}
    if isinstance(value, (list, tuple)):
        return [_settled(item) for item in value if not _tells_of_a_move(item)]
    return value


def _tells_of_a_move(item: object) -> bool:
    return isinstance(item, Mapping) and item.get("code") == _VOLATILE_WARNING


def _is_volatile(key: str, value: object) -> bool:
    if key in _VOLATILE:
        return True
    # Figures only: `available_estimated` is a property of the kernel, and a vulnerability's name may hold any word.
    is_figure = value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
    return is_figure and not _VOLATILE_WORDS.isdisjoint(key.split("_"))
