# SPDX-License-Identifier: Apache-2.0
"""The package py-cpuinfo, for machines whose CPU nothing else names: it takes a second."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CpuName", "ask_py_cpuinfo"]


class CpuName(NamedTuple):
    """Who made the CPU; each ``None`` where the package does not tell or is not installed."""

    vendor: str | None
    model: str | None
    flags: tuple[str, ...] | None


def ask_py_cpuinfo() -> CpuName:
    """Ask the package, if it is installed."""
    try:
        import cpuinfo
    except ImportError:
        return CpuName(None, None, None)
    try:
        told = cpuinfo.get_cpu_info()
    except Exception:  # a plain Exception is what it raises for an architecture that it does not know
        return CpuName(None, None, None)
    return CpuName(
        vendor=told.get("vendor_id_raw") or None,
        model=told.get("brand_raw") or None,
        flags=tuple(dict.fromkeys(told.get("flags") or ())) or None,
    )
