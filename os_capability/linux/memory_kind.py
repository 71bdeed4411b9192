# SPDX-License-Identifier: Apache-2.0
"""What the memory of a NUMA node is made of, and what shows it: GPU or CXL memory must not pass for plain RAM.

Source: Documentation/ABI/testing/sysfs-bus-dax, Documentation/ABI/testing/sysfs-bus-cxl,
Documentation/admin-guide/mm/numaperf.rst; ``numa_status`` of NVIDIA's driver.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = [
    "DaxDevice",
    "MemoryKind",
    "NodeMemory",
    "dax_medium",
    "has_mcdram",
    "judge",
    "parse_gpu_node",
    "parse_number",
    "plain_bandwidth",
]

_CXL = "CXL memory"
_PERSISTENT = "persistent memory"
_SPECIFIC_PURPOSE = "specific-purpose memory"
# Folders on the way to a DAX device: of a CXL region (since Linux 6.3), of NVDIMMs, of what the firmware sets apart.
_MEDIA = (("dax_region", _CXL), ("ndbus", _PERSISTENT), ("hmem", _SPECIFIC_PURPOSE))

# HBM has several times the bandwidth of the RAM beside it; RAM of another speed or distance has less than twice.
_TIMES_AS_FAST = 2


class MemoryKind(NamedTuple):
    """A kind of `NumaNode.memory_kind`, and its evidence."""

    kind: str
    evidence: str


class DaxDevice(NamedTuple):
    """A DAX device that the kernel uses as memory; `medium` is what it is made of, in words."""

    name: str
    medium: str
    size_bytes: int | None


class NodeMemory(NamedTuple):
    """What a machine shows about the memory of one node.

    `total_bytes` is all of it. `gpu` is the address of the NVIDIA GPU whose memory it is, `cxl_region` the name of the
    CXL region at its addresses. `read_bandwidth` is the firmware's figure from the nearest CPUs, in MB/s.
    """

    total_bytes: int
    has_cpus: bool
    gpu: str | None = None
    dax: tuple[DaxDevice, ...] = ()
    cxl_region: str | None = None
    read_bandwidth: int | None = None


def judge(node: NodeMemory, plain_mb_per_second: int | None, *, mcdram: bool) -> MemoryKind:
    """Give the kind of a node's memory; ``unknown`` where nothing shows it, or where it is a mixture.

    Args:
        node: the evidence.
        plain_mb_per_second: the read bandwidth of the nodes with plain RAM.
        mcdram: nodes without CPUs are the fast memory in the package of a Xeon Phi.
    """
    if node.gpu is not None:
        return MemoryKind("gpu", f"node of NVIDIA GPU {node.gpu}")
    if node.dax:
        return _judge_dax(node, plain_mb_per_second)
    if node.has_cpus:
        return MemoryKind("dram", "it has CPUs")
    if node.cxl_region is not None:
        return MemoryKind("cxl", f"CXL region {node.cxl_region}")
    if mcdram:
        return MemoryKind("hbm", "it has no CPUs, on a Xeon Phi")
    if (times := _times_as_fast(node, plain_mb_per_second)) is not None:
        return MemoryKind("hbm", f"it has no CPUs, and is read {times} times as fast as nodes with CPUs")
    return MemoryKind("unknown", "it has no CPUs, and nothing says what it is")


def _judge_dax(node: NodeMemory, plain_mb_per_second: int | None) -> MemoryKind:
    devices = ", ".join(f"{device.medium} {device.name}" for device in node.dax)
    media = {device.medium for device in node.dax}
    if node.has_cpus and not _is_all_of(node.dax, node.total_bytes):
        return MemoryKind("unknown", f"it has CPUs, and with their RAM {devices}")
    if media == {_CXL}:
        return MemoryKind("cxl", devices)
    times = _times_as_fast(node, plain_mb_per_second)
    if media == {_SPECIFIC_PURPOSE} and times is not None:
        return MemoryKind("hbm", f"{devices}, read {times} times as fast as nodes with CPUs")
    return MemoryKind("unknown", devices)


def _is_all_of(devices: Iterable[DaxDevice], total_bytes: int) -> bool:
    # The kernel takes whole memory blocks only, so that a node shows rather less than its devices have.
    return sum(device.size_bytes or 0 for device in devices) >= total_bytes


def _times_as_fast(node: NodeMemory, plain_mb_per_second: int | None) -> int | None:
    if not node.read_bandwidth or not plain_mb_per_second:
        return None
    times = node.read_bandwidth // plain_mb_per_second
    return times if times >= _TIMES_AS_FAST else None


def plain_bandwidth(nodes: Iterable[NodeMemory]) -> int | None:
    """Give the highest read bandwidth of the nodes that have CPUs and nothing but their RAM, in MB/s."""
    plain = (node for node in nodes if node.has_cpus and not node.dax and node.gpu is None)
    return max((node.read_bandwidth for node in plain if node.read_bandwidth), default=None)


def has_mcdram(vendor: str | None, family: str | None, model_number: int | None) -> bool:
    """Tell whether the CPU is a Xeon Phi with MCDRAM: Knights Landing or Knights Mill."""
    return vendor == "GenuineIntel" and family == "6" and model_number in (87, 133)


def dax_medium(link: str) -> str:
    """Give what a DAX device is made of, in words, by where its link in ``/sys/bus/dax/devices`` leads."""
    folders: Sequence[str] = link.split("/")
    for prefix, medium in _MEDIA:
        if any(folder.startswith(prefix) for folder in folders):
            return medium
    return "DAX memory"


def parse_gpu_node(numa_status: str) -> int | None:
    """Give the node of ``/proc/driver/nvidia/gpus/*/numa_status``, ``None`` for a GPU whose memory is its own."""
    for line in numa_status.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "Node":
            return parse_number(value)
    return None


def parse_number(text: str | None, base: int = 10) -> int | None:
    """Give a whole number that sysfs prints, in hexadecimal with or without ``0x``; ``None`` for anything else."""
    digits = (text or "").strip("\0 \n\t").lower().removeprefix("0x" if base == 16 else "")
    if not digits.isalnum() or not digits.isascii() or len(digits) > 18:
        return None
    try:
        return int(digits, base)
    except ValueError:
        return None
