# SPDX-License-Identifier: Apache-2.0
"""What the files of a control group say, as numbers; ``None`` is no limit, or a text that says nothing. Pure.

Source: Documentation/admin-guide/cgroup-v1, Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

from host_agent.workloads.workload import vcpus_of_quota
from os_capability import CpuSet, InvalidCpuSet

__all__ = ["parse_bytes", "parse_events", "parse_list", "parse_quota"]

# v1 writes LONG_MAX rounded down to pages for "no limit"; the pages may be 64 KiB.
_NO_LIMIT_V1 = (1 << 63) - (1 << 16)
_MOST_DIGITS = 19


def parse_bytes(text: str | None) -> int | None:
    """Read ``memory.max``, ``memory.limit_in_bytes``, ``hugetlb.2MB.max`` and the like."""
    limit = _number(text)
    return None if limit is None or limit >= _NO_LIMIT_V1 else limit


def parse_quota(quota: str | None, period: str | None) -> float | None:
    """Read a quota and its period, both in microseconds, as CPUs."""
    allowed, out_of = _number(quota), _number(period)
    return vcpus_of_quota(allowed, out_of) if allowed and out_of else None


def parse_list(text: str | None) -> CpuSet | None:
    """Read ``cpuset.cpus``, ``cpuset.mems`` and the like; an empty one is none of the group's own."""
    try:
        return CpuSet.parse_list(text or "") or None
    except InvalidCpuSet:
        return None


def parse_events(text: str) -> dict[str, bool]:
    """Read ``cgroup.events``: ``populated`` and ``frozen``."""
    lines = (line.split() for line in text.splitlines())
    return {fields[0]: fields[1] == "1" for fields in lines if len(fields) == 2}


def _number(text: str | None) -> int | None:
    digits = (text or "").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS else None
