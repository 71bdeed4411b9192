# SPDX-License-Identifier: Apache-2.0
"""What changed on a machine between two collections, in words a person acts on."""

from __future__ import annotations

from os_capability.insight.changes import cpu, machine, numa, pci
from os_capability.insight.changes.change import CHANGED, GAINED, LOST, Change
from os_capability.model import Host

__all__ = ["CHANGED", "GAINED", "LOST", "Change", "diff", "topology_changes"]


def diff(old: Host, new: Host) -> tuple[Change, ...]:
    """Tell what is otherwise on `new` than it was on `old`: the machine first, then its nodes, CPUs and devices.

    What moves by itself is no change: free and available memory, load, uptime, users, free, reserved and surplus huge
    pages, and a few MiB more or less of memory. What either host does not tell is not compared. What is part of a
    greater change is not told again: a node that went took its CPUs along.
    """
    nodes = numa.pair_nodes(old, new)
    return (
        *machine.identity_changes(old, new),
        *machine.system_changes(old, new),
        *cpu.model_changes(old.cpu, new.cpu),
        *numa.memory_changes(old, new),
        *numa.node_changes(old, new, nodes),
        *numa.node_memory_changes(old, new, nodes),
        *numa.hugepage_changes(old, new, nodes),
        *cpu.cpu_changes(old.cpu, new.cpu, told=nodes.moved_cpus),
        *cpu.placement_changes(old.cpu, new.cpu, with_nodes=nodes.are_comparable),
        *numa.distance_changes(nodes),
        *cpu.cache_changes(old.cpu, new.cpu),
        *cpu.feature_changes(old.cpu, new.cpu),
        *pci.pci_changes(old.pci, new.pci),
        *machine.limit_changes(old, new),
        *machine.warning_changes(old, new),
    )


def topology_changes(old: Host, new: Host) -> tuple[Change, ...]:
    """Tell only what is otherwise about the machine's shape: memory, nodes, huge page pools, CPUs and devices."""
    nodes = numa.pair_nodes(old, new)
    return (
        *numa.memory_changes(old, new),
        *numa.node_changes(old, new, nodes),
        *numa.node_memory_changes(old, new, nodes),
        *numa.hugepage_changes(old, new, nodes),
        *cpu.cpu_changes(old.cpu, new.cpu, told=nodes.moved_cpus),
        *cpu.placement_changes(old.cpu, new.cpu, with_nodes=nodes.are_comparable),
        *pci.pci_changes(old.pci, new.pci),
    )
