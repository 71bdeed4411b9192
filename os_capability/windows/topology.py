# SPDX-License-Identifier: Apache-2.0
"""The CPUs of a Windows machine, joined by id.

Windows numbers neither packages, dies nor modules: their numbers are ours, in its order.
"""

from __future__ import annotations

from collections.abc import Sequence

from os_capability.cpuset import CpuSet
from os_capability.model import CpuKind, Processor
from os_capability.windows.processor_information import CoreRow, ProcessorInformation

__all__ = ["join", "kinds_of"]


def join(information: ProcessorInformation) -> tuple[Processor, ...]:
    """Give the processors by ascending id; cores are counted in that order."""
    socket_of, die_of = _numbers(information.packages), _numbers(information.dies)
    module_of, kind_of = _numbers(information.modules), {}
    for kind in kinds_of(information.cores):
        kind_of.update(dict.fromkeys(kind.cpus, kind.name))
    core_of = {cpu: core.cpus for core in information.cores for cpu in core.cpus}
    numbers: dict[CpuSet, int] = {}
    return tuple(
        Processor(
            id=cpu,
            online=True,
            core=numbers.setdefault(core_of[cpu], len(numbers)),
            cluster=module_of.get(cpu),
            die=die_of.get(cpu),
            socket=socket_of.get(cpu),
            node=_node_of(information, cpu),
            kind=kind_of.get(cpu),
        )
        for cpu in information.online
    )


def _numbers(sets: Sequence[CpuSet]) -> dict[int, int]:
    return {cpu: number for number, cpus in enumerate(sets) for cpu in cpus}


def _node_of(information: ProcessorInformation, cpu: int) -> int | None:
    """Give the one node that has a CPU: ``None`` for none or several, 0 where there are no nodes."""
    if not information.nodes:
        return 0
    nodes = [node for node, cpus in information.nodes.items() if cpu in cpus]
    return nodes[0] if len(nodes) == 1 else None


def kinds_of(cores: Sequence[CoreRow]) -> tuple[CpuKind, ...]:
    """Give the kinds of cores by their efficiency class, strongest first; none where all are of one."""
    classes = sorted({core.efficiency_class for core in cores}, reverse=True)
    if len(classes) < 2:
        return ()
    names = ("performance", "efficiency") if len(classes) == 2 else tuple(f"efficiency-class-{n}" for n in classes)
    kinds = []
    for name, efficiency_class in zip(names, classes, strict=True):
        alike = [core.cpus for core in cores if core.efficiency_class == efficiency_class]
        threads = {len(cpus) for cpus in alike}
        kinds.append(
            CpuKind(
                name=name,
                cpus=CpuSet.union(alike),
                threads_per_core=threads.pop() if len(threads) == 1 else None,
            )
        )
    return tuple(kinds)
