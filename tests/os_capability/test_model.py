# SPDX-License-Identifier: Apache-2.0
"""What the facts say of themselves."""

from __future__ import annotations

import pytest

from os_capability.model import HugePages, NodeHugePages

MIB = 1 << 20


@pytest.mark.parametrize(
    ("total", "free", "total_bytes", "idle_bytes"),
    [(512, 100, 1024 * MIB, 200 * MIB), (4, 0, 8 * MIB, 0), (None, None, None, None)],
)
def test_a_pool_tells_its_bytes_and_unknown_is_not_0(
    total: int | None, free: int | None, total_bytes: int | None, idle_bytes: int | None
) -> None:
    of_machine = HugePages(size_bytes=2 * MIB, total=total, free=free, reserved=0, surplus=0)
    of_node = NodeHugePages(size_bytes=2 * MIB, total=total, free=free, surplus=0)
    for pool in (of_machine, of_node):
        assert (pool.total_bytes, pool.idle_bytes) == (total_bytes, idle_bytes)
