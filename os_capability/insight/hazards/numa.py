# SPDX-License-Identifier: Apache-2.0
"""What may be wrong with the NUMA nodes: where CPUs and memory are, and how far apart."""

from __future__ import annotations

from collections.abc import Iterator

from os_capability.cpuset import CpuSet
from os_capability.insight.hazards.rule import CRITICAL, WARNING, Rule
from os_capability.model import Host, NumaNode
from os_capability.size import format_bytes
from os_capability.wording import counted, cpus_text, listed, memory_text

__all__ = ["RULES"]

_MIB = 1 << 20
# The kernel and a crash kernel lie on one node and are not counted there. A DIMM of 24 makes 4.2 %.
_UNEQUAL_SHARE, _UNEQUAL_BYTES = 0.04, 512 * _MIB
# A kernel that initialises memory as it is asked for counts a part of each node's; older ones count 3.4 % too much.
_COUNTED_SHARE = 0.9
# ACPI: 10 is the node itself. Within one board it is 20 to 32; 40 is four times as far as local memory.
_FAR = 40


def _unequal_memory(host: Host) -> Iterator[str]:
    sizes = {node.id: node.memory_total_bytes for node in _plain_nodes(host) if node.cpus and node.memory_total_bytes}
    if len(sizes) < 2 or not _counts_are_whole(host):
        return
    largest = max(sizes, key=lambda node: sizes[node] or 0)
    most = sizes[largest] or 0
    for node, size in sizes.items():
        missing = most - (size or 0)
        if missing > max(most * _UNEQUAL_SHARE, _UNEQUAL_BYTES):
            yield (
                f"node {node} has {format_bytes(size)}, {format_bytes(missing)} less than the {format_bytes(most)}"
                f" of node {largest}"
            )


def _plain_nodes(host: Host) -> list[NumaNode]:
    return [node for node in host.numa.nodes if node.is_plain_ram]


def _counts_are_whole(host: Host) -> bool:
    """Tell whether the nodes' totals add up to about the machine's, so that they can be held against each other."""
    total = host.memory.total_bytes
    counted_bytes = sum(node.memory_total_bytes or 0 for node in host.numa.nodes)
    return total is None or counted_bytes >= total * _COUNTED_SHARE


def _memoryless(host: Host) -> Iterator[str]:
    for node in host.numa.nodes:
        if node.cpus and node.memory_total_bytes == 0:
            yield f"node {node.id} ({cpus_text(node.cpus)}) has no memory{_nearest_memory(host, node)}"


def _nearest_memory(host: Host, node: NumaNode) -> str:
    having = {other.id for other in host.numa.nodes if other.memory_total_bytes}
    reachable = [(distance, other) for other, distance in (node.distances or {}).items() if other in having]
    if not reachable:
        return ""
    distance, nearest = min(reachable)
    return f"; the nearest is on node {nearest}, distance {distance}"


def _special_memory(host: Host) -> Iterator[str]:
    for node in host.numa.nodes:
        if node.memory_total_bytes and not node.is_plain_ram:
            evidence = f" ({node.memory_kind_evidence})" if node.memory_kind_evidence else ""
            size = format_bytes(node.memory_total_bytes)
            yield f"node {node.id}: {size} of {memory_text(node.memory_kind)}{evidence}"


def _hidden_nodes(host: Host) -> Iterator[str]:
    sockets = host.cpu.sockets
    if sockets is None or sockets < 2 or len(host.numa.nodes) > 1 or not _has_controller_in_each_socket(host):
        return
    if any(not host.cpu.online <= node.cpus for node in host.numa.nodes):
        return  # there is another node, which the kernel does not show
    # Without any node folder in a capture, nobody looked.
    if not any(warning.code in ("cpu-sets-missing", "source-missing") for warning in host.warnings):
        shown = "no NUMA node" if host.numa.synthetic else "one NUMA node"
        yield f"{counted(sockets, 'socket')} of {host.cpu.model or 'unknown model'}, and {shown}"


def _has_controller_in_each_socket(host: Host) -> bool:
    """Tell whether each socket surely has memory of its own: a bare-metal AMD, or an Intel since Nehalem (SSE 4.2)."""
    flags = host.cpu.flags or ()
    if host.system.virtualization or "hypervisor" in flags:
        return False
    return host.cpu.vendor in ("AuthenticAMD", "HygonGenuine") or (
        host.cpu.vendor == "GenuineIntel" and "sse4_2" in flags
    )


def _homeless_cpus(host: Host) -> Iterator[str]:
    placed = CpuSet.union(node.cpus for node in host.numa.nodes)
    homeless = host.cpu.online - placed
    if homeless and placed:
        yield f"{cpus_text(homeless)} in no node"


def _shared_cpus(host: Host) -> Iterator[str]:
    seen = shared = CpuSet()
    for node in host.numa.nodes:
        shared |= seen & node.cpus
        seen |= node.cpus
    if shared:
        nodes = [str(node.id) for node in host.numa.nodes if not shared.isdisjoint(node.cpus)]
        yield f"{cpus_text(shared)} in more than one of the nodes {listed(nodes, 8)}"


def _far_nodes(host: Host) -> Iterator[str]:
    pairs = {pair: distance for pair, distance in _distances(host).items() if distance >= _FAR}
    if pairs:
        farthest = max(pairs.values())
        named = [f"{one} to {other}" for (one, other), distance in pairs.items() if distance == farthest]
        yield f"distance {farthest} (10 is local) from node {listed(named)}"


def _asymmetric_distances(host: Host) -> Iterator[str]:
    distances = _distances(host)
    uneven = [
        f"node {one} to {other} is {distance}, back {distances[other, one]}"
        for (one, other), distance in distances.items()
        if one < other and distances.get((other, one), distance) != distance
    ]
    if uneven:
        yield listed(uneven)


def _distances(host: Host) -> dict[tuple[int, int], int]:
    """Give the distance from each node with CPUs to each other one that has CPUs or plain memory."""
    plain = {node.id for node in _plain_nodes(host) if node.cpus or node.memory_total_bytes != 0}
    return {
        (node.id, other): distance
        for node in host.numa.nodes
        if node.cpus and node.distances
        for other, distance in node.distances.items()
        if other in plain and other != node.id
    }


RULES = (
    Rule(
        code="memoryless-node",
        severity=CRITICAL,
        summary="A NUMA node with CPUs has no memory: all that runs there works on remote memory",
        advice="Put DIMMs into the slots of that socket, or correct the NUMA topology of the partition or virtual"
        " machine. Until then bind no memory to this node.",
        evidence=_memoryless,
    ),
    Rule(
        code="cpus-in-no-node",
        severity=CRITICAL,
        summary="CPUs belong to no NUMA node: nobody can place work there near its memory",
        advice="Look for disabled nodes and SRAT errors in the kernel log and update the firmware. Until then keep"
        " these CPUs for work that needs no near memory.",
        evidence=_homeless_cpus,
    ),
    Rule(
        code="cpus-in-several-nodes",
        severity=CRITICAL,
        summary="CPUs belong to several NUMA nodes: the firmware's table is wrong, or the nodes are made up",
        advice="Update the firmware, or boot with numa=off to have one node.",
        evidence=_shared_cpus,
    ),
    Rule(
        code="numa-hidden",
        severity=WARNING,
        summary="The machine has several sockets and shows no NUMA nodes for them",
        advice="Disable node interleaving in the firmware settings (AMD EPYC: NPS1 or more instead of NPS0), and take"
        " numa=off off the kernel command line.",
        evidence=_hidden_nodes,
    ),
    Rule(
        code="unequal-node-memory",
        severity=WARNING,
        summary="NUMA nodes have different amounts of memory, as where a DIMM is missing or has failed",
        advice="Compare the DIMMs that the firmware finds with those that are there (dmidecode -t memory, the memory"
        " log of the management controller); in a virtual machine correct its NUMA topology.",
        evidence=_unequal_memory,
    ),
    Rule(
        code="special-memory-node",
        severity=WARNING,
        summary="A part of the machine's memory is not plain RAM",
        advice="Leave these nodes out of what is given to ordinary workloads (cpuset.mems, numactl --membind); the"
        " total of the machine contains them.",
        evidence=_special_memory,
    ),
    Rule(
        code="far-nodes",
        severity=WARNING,
        summary="NUMA nodes are far apart",
        advice="Keep each workload, with its memory and devices, on one node or on near nodes.",
        evidence=_far_nodes,
    ),
    Rule(
        code="asymmetric-distances",
        severity=WARNING,
        summary="The distances between NUMA nodes depend on the direction",
        advice="Update the firmware, whose SLIT table says so; do not choose near nodes by it.",
        evidence=_asymmetric_distances,
    ),
)
