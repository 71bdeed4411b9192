# SPDX-License-Identifier: Apache-2.0
"""The CPUs of a FreeBSD machine, joined by id from ``kern.sched.topology_spec``, ``kern.smp`` and ``dev.cpu``.

FreeBSD takes no CPU offline while it runs: those it has are those online.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from os_capability.cpuset import CpuSet
from os_capability.errors import InvalidCpuSet, SourceUnreadable, UnparsableText
from os_capability.freebsd.topology import caches_of, cores_of, parse_topology
from os_capability.model import Cache, HostWarning, Processor
from os_capability.sysctl import Sysctl

__all__ = ["Placement", "join", "online_cpus", "parse_affinity", "read_placement"]

_MOST_CPUS = 4096


class Placement(NamedTuple):
    """Where every CPU is; `cores` is ``None`` where the kernel does not tell which CPUs share one."""

    online: CpuSet
    cores: Mapping[int, CpuSet] | None
    domain_of_cpu: Mapping[int, int]
    caches: tuple[Cache, ...] | None
    warnings: tuple[HostWarning, ...]


def online_cpus(sysctl: Sysctl) -> CpuSet:
    """Give the CPUs; a kernel without ``kern.sched.topology_spec`` numbers them from 0.

    Raises:
        SourceUnreadable: nothing tells of any CPU.
        UnparsableText: ``kern.sched.topology_spec`` makes no sense.
    """
    topology = sysctl.text("kern.sched.topology_spec")
    if topology is not None:
        return parse_topology(topology)[0].cpus
    count = sysctl.number("hw.ncpu")
    if not count or count > _MOST_CPUS:
        raise SourceUnreadable("/sbin/sysctl", "tells neither kern.sched.topology_spec nor hw.ncpu")
    return CpuSet(range(count))


def read_placement(sysctl: Sysctl, online: CpuSet, domain_of_cpu: Mapping[int, int]) -> Placement:
    """Join what tells of the `online` CPUs.

    Raises:
        UnparsableText: ``kern.sched.topology_spec`` makes no sense.
    """
    topology, counted = sysctl.text("kern.sched.topology_spec"), sysctl.number("kern.smp.cores")
    if topology is None:
        alone = {cpu: CpuSet([cpu]) for cpu in online} if len(online) in (1, counted) else None
        return Placement(online, alone, domain_of_cpu, None, ())
    groups = parse_topology(topology)
    cores = cores_of(groups)
    found = len(set(cores.values()))
    warnings: tuple[HostWarning, ...] = ()
    if counted is not None and counted != found:
        message = f"kern.sched.topology_spec has {found} cores, kern.smp.cores says {counted}; the first is believed"
        warnings = (HostWarning(code="topology-disagreement", message=message),)
    return Placement(online, cores, domain_of_cpu, caches_of(groups), warnings)


def join(placement: Placement, *, sockets: int | None) -> tuple[Processor, ...]:
    """Give the processors; which socket a CPU is in is known only where there is one."""
    numbers: dict[CpuSet, int] = {}
    return tuple(
        Processor(
            id=cpu,
            online=True,
            core=None if placement.cores is None else numbers.setdefault(placement.cores[cpu], len(numbers)),
            socket=0 if sockets == 1 else None,
            node=placement.domain_of_cpu.get(cpu),
        )
        for cpu in placement.online
    )


def parse_affinity(text: str) -> CpuSet:
    """Read the first line of ``cpuset -g``: ``pid -1 mask: 0, 1, 2, 3``.

    Raises:
        UnparsableText: it names no CPU.
    """
    first_line = text.partition("\n")[0]
    try:
        cpus = CpuSet.parse_list(first_line.rpartition("mask:")[2])
    except InvalidCpuSet as error:
        raise UnparsableText("cpuset", 1, first_line, error.reason) from None
    if not cpus:
        raise UnparsableText("cpuset", 1, first_line, "no CPU")
    return cpus
