# SPDX-License-Identifier: Apache-2.0
"""What stands in the boxes of a drawing: its lines, bars and legend, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from os_capability.cpuset import CpuSet
from os_capability.model import Cpu, Host, HugePages, NodeHugePages, NumaNode, PciDevice
from os_capability.render.drawing import Bar, Box, Core, Mark
from os_capability.render.nesting import cache_name, cores_of
from os_capability.render.terminal import plain
from os_capability.size import format_bytes
from os_capability.wording import counted, cpus_text, listed, memory_text

__all__ = [
    "EMPTY",
    "device_lines",
    "kind_signs",
    "legend",
    "machine_bars",
    "machine_notes",
    "node_bars",
    "node_facts",
]

_KIND_SIGNS = {"performance": "P", "efficiency": "E"}
_OTHER_SIGNS = "ABCDFGHJKL"
_DEVICE_NAMES = {"network": "network", "gpu": "GPU", "nvme": "NVMe", "accelerator": "accelerator"}
_MOST_ADDRESSES = 6
# What is said of a node that has nothing.
EMPTY = ("no CPUs", "no memory")


def kind_signs(cpu: Cpu) -> dict[str, str]:
    """Give a letter for each kind of core: ``P`` performance, ``E`` efficiency, ``A``, ``B`` ... others."""
    others = iter(_OTHER_SIGNS)
    return {kind.name: _KIND_SIGNS.get(kind.name) or next(others, "?") for kind in cpu.kinds}


def machine_notes(host: Host) -> Iterator[str]:
    """Give the lines about the machine as a whole."""
    cpu = host.cpu
    if cpu.model or cpu.vendor:
        yield plain(cpu.model or cpu.vendor or "")
    nodes = None if host.numa.synthetic else len(host.numa.nodes)
    offline = [f"{len(cpu.offline)} offline"] if cpu.offline else []
    counts = ((cpu.cores, "core"), (cpu.sockets, "socket"), (nodes, "NUMA node"))
    known = [counted(number, noun) for number, noun in counts if number is not None]
    yield ", ".join([f"{counted(cpu.threads, 'CPU')} online", *offline, *known])
    if caches := _caches_of_a_core(cpu):
        yield f"each core: {caches}"
    if host.system.view == "container":
        yield "seen from a container" + (f" ({plain(host.system.container)})" if host.system.container else "")
    if host.numa.synthetic:
        yield "the kernel tells of no NUMA nodes"


def _caches_of_a_core(cpu: Cpu) -> str:
    """Say which caches every core has for itself, where all have the same ones."""
    core_of = {thread: number for number, cpus in cores_of(cpu).items() for thread in cpus}
    own: dict[int, Counter[tuple[str, int]]] = {number: Counter() for number in core_of.values()}
    for cache in cpu.caches or ():
        cores = {core_of.get(thread) for thread in cache.shared_cpus & cpu.online}
        core = cores.pop() if len(cores) == 1 else None
        if core is not None and cache.size_bytes is not None:
            own[core][cache_name(cache), cache.size_bytes] += 1
    different = {frozenset(caches.items()) for caches in own.values()}
    if len(different) != 1:
        return ""
    found = sorted(different.pop())
    return ", ".join(f"{name} {f'{n} x ' if n > 1 else ''}{format_bytes(size)}" for (name, size), n in found)


def node_facts(host: Host, node: NumaNode) -> Iterator[str]:
    """Say what is unusual about a node."""
    if node.memory_total_bytes == 0:
        yield from ("no memory",) if node.cpus else EMPTY
    elif node.memory_kind == "unknown":
        yield "memory of unknown kind" if node.cpus else "memory only, kind unknown"
    elif not node.cpus:
        yield "no CPUs" if node.memory_total_bytes is None else "memory only"
    elif node.memory_total_bytes is None and any(other.memory_total_bytes is not None for other in host.numa.nodes):
        yield "memory unknown"


def node_bars(node: NumaNode) -> Iterator[Bar]:
    """Give the bars of a node: memory, then each size of huge pages it has."""
    # The unknown kind stands beside the title.
    label = "memory" if node.memory_kind == "unknown" else memory_text(node.memory_kind)
    return _bars(label, node.memory_total_bytes, node.memory_free_bytes, node.hugepages or ())


def machine_bars(host: Host) -> Iterator[Bar]:
    """Give the bars of the machine, where no node tells of its memory."""
    memory = host.memory
    if host.numa.synthetic or all(node.memory_total_bytes is None for node in host.numa.nodes):
        yield from _bars("memory", memory.total_bytes, memory.free_bytes, memory.hugepages or ())


def _bars(label: str, total: int | None, free: int | None, pools: Iterable[HugePages | NodeHugePages]) -> Iterator[Bar]:
    pools = [pool for pool in pools if pool.total]
    if total:
        # Idle huge pages are neither free memory nor in use; they have a bar of their own.
        idle = sum(pool.idle_bytes or 0 for pool in pools)
        used = None if free is None else min(total, max(0, total - free - idle))
        text = format_bytes(total) if used is None else _of(format_bytes(used), format_bytes(total))
        yield Bar(kind="memory", label=label, text=text, share=None if used is None else used / total)
    for pool in pools:
        pages = pool.total or 0
        taken = None if pool.free is None else min(pages, max(0, pages - pool.free))
        yield Bar(
            kind="hugepages",
            label=f"{format_bytes(pool.size_bytes)} pages",
            text=f"{pages}" if taken is None else f"{taken} of {pages}",
            share=None if taken is None else taken / pages,
        )


def _of(used: str, total: str) -> str:
    """Join two sizes, with one unit where it is the same."""
    amount, unit = used.split(" ")
    return f"{amount if total.endswith(' ' + unit) else used} of {total}"


def device_lines(host: Host, node: int | None) -> Iterator[str]:
    """Give the devices of note on a node, one line for those that are alike.

    With ``None`` those whose node is not told. Virtual functions are counted at their parent.
    """
    drawn = set() if host.numa.synthetic else {known.id for known in host.numa.nodes}
    alike: dict[str, list[str]] = {}
    for device in host.pci or ():
        home = device.node if device.node in drawn else None
        if home == node and device.kind in _DEVICE_NAMES and device.sriov != "vf":
            alike.setdefault(_device_name(device), []).append(device.address)
    for name, addresses in alike.items():
        yield plain(f"{name} {listed(addresses, _MOST_ADDRESSES)}")


def _device_name(device: PciDevice) -> str:
    name = _DEVICE_NAMES[device.kind or ""]
    told = [device.driver or ""]
    if device.sriov_total_vfs:
        told.append(f"{device.sriov_num_vfs or 0} of {device.sriov_total_vfs} VFs")
    told = list(filter(None, told))
    return f"{name} ({', '.join(told)})" if told else name


def legend(cpu: Cpu, machine: Box, signs: Mapping[str, str]) -> Iterator[Mark]:
    """Explain the signs that occur in a drawing, and no others."""
    boxes = list(_boxes(machine))
    if any(isinstance(part, Core) and part.number is not None for box in boxes for part in box.parts):
        yield Mark(name="core", sign="", text="a cell is a core, the numbers in it are its CPUs")
    for kind in cpu.kinds:
        yield Mark(name="kind", sign=signs[kind.name], text=f"{plain(kind.name)} cores, {cpus_text(kind.cpus)}")
    if isolated := (cpu.isolated or CpuSet()) & (cpu.online | cpu.offline):
        yield Mark(name="isolated", sign="i", text=f"isolated, {cpus_text(isolated)}")
    if cpu.offline:
        yield Mark(name="offline", sign="()", text=f"offline, {cpus_text(cpu.offline)}")
    if any(bar.share is not None for box in boxes for bar in box.bars):
        yield Mark(name="bar", sign="", text="a bar is what is in use; of memory that includes the page cache")


def _boxes(box: Box) -> Iterator[Box]:
    yield box
    for inner in box.boxes:
        yield from _boxes(inner)
