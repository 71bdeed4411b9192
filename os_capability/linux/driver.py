# SPDX-License-Identifier: Apache-2.0
"""LinuxDriver: reads, parses and joins a Linux machine into a `Host`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from os_capability import clock
from os_capability.cpuset import CpuSet
from os_capability.errors import MissingProgram, OsCapabilityError, SourceUnreadable
from os_capability.linux import paths, sanity, sysfs_source
from os_capability.linux.agreement import disagreements
from os_capability.linux.cpuinfo import CpuIdentity
from os_capability.linux.host_root import HostRoot
from os_capability.linux.readers import cpu as cpu_reader
from os_capability.linux.readers import numa as numa_reader
from os_capability.linux.readers.limits import read_limits
from os_capability.linux.readers.memory import read_meminfo, read_memory
from os_capability.linux.readers.pci import read_pci, read_pci_addresses
from os_capability.linux.readers.system import (
    is_control_domain,
    read_machine_identity,
    read_system,
    refresh_system,
)
from os_capability.linux.sources import Sources
from os_capability.linux.topology import Placement
from os_capability.model import Host, MachineIdentity, Memory, System
from os_capability.parts import OnPart, timed
from os_capability.topology_change import with_changes_told

if TYPE_CHECKING:
    from os_capability.linux.lscpu_source import LscpuSource

__all__ = ["LinuxDriver"]

# In `auto` lscpu only checks and names: a machine where it hangs must not make people wait. lscpu 2.38 reads
# scaling_cur_freq of every CPU whatever is asked, which takes 20 ms each on some drivers.
_PATIENCE_SECONDS = {"auto": 2.0, "lscpu": 30.0}

# Warnings that a refresh comes to anew or not at all.
_OF_ONE_READING = sanity.MEMORY_CODES | {"topology-changed"}


class LinuxDriver:
    """Reads the Linux machine under a root; keeps the promises of `HostDriver`.

    Args:
        root: a folder, or one that is open already.
        source: who tells the topology, as for `os_capability.load_driver`.
        on_part: told of each part of a reading when it is over.

    Raises:
        InvalidRoot: `root` is no folder, or holds neither ``proc`` nor ``sys``.
    """

    def __init__(self, root: str | HostRoot = "/", source: str = "auto", on_part: OnPart | None = None) -> None:
        self._on_part = on_part
        self._root = HostRoot(root) if isinstance(root, str) else root
        self._lscpu_decides = source == "lscpu"
        self._lscpu = None if source == "sysfs" else _lscpu_source(self._root, _PATIENCE_SECONDS[source])

    def identify(self) -> MachineIdentity:
        """Read who this machine is; see `HostDriver.identify`."""
        return read_machine_identity(Sources(self._root))

    def collect(self) -> Host:
        """Read every fact; see `HostDriver.collect`."""
        sources = Sources(self._root)
        with self._timed("topology"):
            cpuinfo = sources.required(paths.CPUINFO)
            sets = cpu_reader.read_cpu_sets(sources, cpuinfo)
            placement = self._placement(sources, sets, cpuinfo)
        with self._timed("memory"):
            memory = read_memory(sources, read_meminfo(sources))
        with self._timed("system"):
            named, system = self._system(sources, cpuinfo)
            identity = read_machine_identity(sources)
        with self._timed("cpu"):
            cpu = cpu_reader.read_cpu(sources, sets, placement, named, cpuinfo)
        with self._timed("numa"):
            numa = numa_reader.read_topology(sources, placement, memory, named)
        with self._timed("limits"):
            limits = read_limits(sources)
        with self._timed("pci"):
            pci = read_pci(sources)
        read = Host(
            collected_at=clock.now(),
            hostname=identity.hostname,
            machine_id=identity.machine_id,
            product_uuid=identity.product_uuid,
            boot_id=identity.boot_id,
            system=system,
            cpu=cpu,
            memory=memory,
            numa=numa,
            limits=limits,
            pci=pci,
            warnings=sources.warnings,
        )
        return _with_memory_checked(_with_topology_checked(read))

    def refresh(self, host: Host) -> Host:
        """Read the fast facts again; see `HostDriver.refresh`."""
        with self._timed("refresh"):
            sources = Sources(self._root)
            now = self.collect() if _has_moved(sources, host) else self._refreshed(sources, host)
            return with_changes_told(host, now)

    def _refreshed(self, sources: Sources, host: Host) -> Host:
        memory = read_memory(sources, read_meminfo(sources))
        numa = numa_reader.refresh_topology(sources, host.numa, memory)
        if _pool_sizes(memory) != _pool_sizes(host.memory):
            return self.collect()
        if any(node.memory_total_bytes and node.memory_kind is None for node in numa.nodes):
            return self.collect()  # memory came to a node that had none
        system, limits = refresh_system(sources, host.system), read_limits(sources)
        carried = (w for w in sources.still_open(host.warnings) if w.code not in _OF_ONE_READING)
        read = replace(
            host,
            collected_at=clock.now(),
            system=system,
            memory=memory,
            numa=numa,
            limits=limits,
            warnings=tuple(dict.fromkeys((*carried, *sources.warnings))),
        )
        return _with_memory_checked(read)

    def _timed(self, part: str) -> AbstractContextManager[None]:
        return timed(part, self._on_part)

    def _placement(self, sources: Sources, sets: cpu_reader.CpuSets, cpuinfo: str | None) -> Placement:
        if self._lscpu is not None and self._lscpu_decides:
            return _placement_by_lscpu(sources, self._lscpu)
        placement = sysfs_source.read_placement(sources, sets.present, sets.online, cpuinfo)
        if self._lscpu is not None:
            _check(sources, placement, self._lscpu)
        return placement

    def _system(self, sources: Sources, cpuinfo: str | None) -> tuple[CpuIdentity, System]:
        named = cpu_reader.read_identity(sources, cpuinfo)
        named, system = self._named_by_lscpu(sources, named, read_system(sources, named.flags or ()))
        if not self._root.is_live:
            from os_capability.linux.readers.captured import read_conclusions

            system = read_conclusions(sources, system)
        if system.view == "container":
            sources.warn("container-view", f"these are the facts a container is shown: {system.view_evidence}")
        return named, system

    def _named_by_lscpu(self, sources: Sources, identity: CpuIdentity, system: System) -> tuple[CpuIdentity, System]:
        """Let lscpu name what no file does: decoded models, and the hypervisor that only CPUID tells."""
        nameless = identity.vendor is None or identity.model is None or identity.model.startswith("0x")
        # lscpu's look for a hypervisor is at the machine it runs on, whatever root it is given.
        is_guest = (
            self._root.is_live
            and system.virtualization is None
            and "hypervisor" in (identity.flags or ())
            and not is_control_domain(sources)
        )
        if self._lscpu is None or not (nameless or is_guest):
            return identity, system
        try:
            summary = self._lscpu.summary()
        except SourceUnreadable as error:
            if not isinstance(error, MissingProgram):
                sources.warn("lscpu-unavailable", f"no name from it: {error}")
            return identity, system
        if nameless:
            vendor, model = summary.get("Vendor ID"), summary.get("Model name")
            identity = identity._replace(vendor=identity.vendor or vendor, model=model or identity.model)
        if is_guest and "Hypervisor vendor" in summary:
            system = replace(system, virtualization=summary["Hypervisor vendor"].lower())
        return identity, system


def _lscpu_source(root: HostRoot, timeout_seconds: float) -> LscpuSource:
    # Starting programs loads subprocess and what it needs, a fifth of the time in which sysfs alone answers.
    from os_capability.linux.lscpu_source import LscpuSource

    return LscpuSource(root, timeout_seconds)


def _placement_by_lscpu(sources: Sources, lscpu: LscpuSource) -> Placement:
    answer = lscpu.placement(with_ids=True)
    if not answer.online:
        raise SourceUnreadable("lscpu", "names no CPU that is online")
    # It is silent about nodes that are only memory.
    node_ids = sorted({*sysfs_source.read_node_ids(sources), *answer.node_cpus})
    return answer._replace(node_cpus={node: answer.node_cpus.get(node, CpuSet()) for node in node_ids})


def _check(sources: Sources, placement: Placement, lscpu: LscpuSource) -> None:
    try:
        answer = lscpu.placement(with_ids=False)
    except OsCapabilityError as error:
        sources.warn("lscpu-unavailable", f"the topology is that of sysfs alone: {error}")
        return
    for message in disagreements(placement, answer):
        sources.warn("topology-disagreement", message)


def _with_topology_checked(host: Host) -> Host:
    cpu, about_cpu = sanity.check_cpus(host.cpu)
    numa, about_nodes = sanity.check_nodes(host.numa, cpu.online)
    return replace(host, cpu=cpu, numa=numa, warnings=(*host.warnings, *about_cpu, *about_nodes))


def _with_memory_checked(host: Host) -> Host:
    memory, numa, about = sanity.check_memory(host.memory, host.numa, is_host=host.system.view == "host")
    return replace(host, memory=memory, numa=numa, warnings=(*host.warnings, *about))


def _pool_sizes(memory: Memory) -> set[int]:
    return {pool.size_bytes for pool in memory.hugepages or ()}


def _has_moved(sources: Sources, host: Host) -> bool:
    """Tell whether there are other CPUs, nodes or devices than `host` has; a file the kernel lacks tells nothing."""
    online, present = sources.cpus(paths.CPU_ONLINE), sources.cpus(paths.CPU_PRESENT)
    if online is None:  # kernels before 2.6.24
        sets = cpu_reader.read_cpu_sets(sources, sources.text(paths.CPUINFO))
        online, present = sets.online, sets.present
    nodes = sources.cpus(paths.NODE_ONLINE)
    now_and_then = (
        (online, host.cpu.online),
        (present and present | host.cpu.online, host.cpu.present),
        (sources.cpus(paths.CPU_POSSIBLE), host.cpu.possible),
        (nodes, None if host.numa.synthetic else CpuSet(node.id for node in host.numa.nodes)),
    )
    devices = None if host.pci is None else [device.address for device in host.pci]
    return devices != read_pci_addresses(sources) or any(now is not None and now != then for now, then in now_and_then)
