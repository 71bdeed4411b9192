# SPDX-License-Identifier: Apache-2.0
"""FreebsdDriver: asks ``sysctl`` and ``cpuset`` of a FreeBSD machine and joins their answers into a `Host`."""

from __future__ import annotations

from dataclasses import replace

from os_capability import clock
from os_capability.command import Run, run
from os_capability.cpuset import CpuSet
from os_capability.errors import SourceUnreadable, UnparsableText
from os_capability.freebsd.boot_messages import parse_boot_messages
from os_capability.freebsd.domains import parse_distances, parse_segments
from os_capability.freebsd.processors import Placement, join, online_cpus, parse_affinity, read_placement
from os_capability.model import (
    Cpu,
    Host,
    HostWarning,
    Limits,
    MachineIdentity,
    Memory,
    NumaNode,
    NumaTopology,
    Smt,
    System,
)
from os_capability.sysctl import Sysctl
from os_capability.topology_change import with_changes_told
from os_capability.whole_machine import whole_machine

__all__ = ["FreebsdDriver"]

_SYSCTL, _CPUSET = "/sbin/sysctl", "/usr/bin/cpuset"
_PATIENCE_SECONDS = 10.0
_MOST_DOMAINS = 64

_MOVING = (
    "hw.ncpu",
    "hw.pagesize",
    "hw.physmem",
    "kern.sched.topology_spec",
    "kstat.zfs.misc.arcstats.c_min",
    "kstat.zfs.misc.arcstats.size",
    "vfs.bufspace",
    "vm.domain",
    "vm.loadavg",
    "vm.ndomains",
    "vm.stats.vm",
    "vm.swap_total",
)
_IDENTITY = ("kern.hostname", "kern.hostuuid")
_ALL = (
    *_IDENTITY,
    *_MOVING,
    "hw.machine_arch",
    "hw.model",
    "kern.boottime",
    "kern.osrelease",
    "kern.ostype",
    "kern.smp",
    "kern.vm_guest",
    "security.jail.jailed",
    "vm.phys_locality",
    "vm.phys_segs",
    "kern.msgbuf",  # the last one: anybody can write there
)
# What kern.vm_guest says, by the name that systemd-detect-virt has for it; the others are the same.
_HYPERVISORS = {"none": None, "generic": "vm-other", "hv": "microsoft", "vbox": "oracle"}


class FreebsdDriver:
    """Reads the FreeBSD machine it runs on; keeps the promises of `HostDriver`.

    Args:
        run: starts the programs; recorded answers of a machine can stand in for them.
    """

    def __init__(self, run: Run = run) -> None:
        self._run = run

    def identify(self) -> MachineIdentity:
        """Read who this machine is; see `HostDriver.identify`."""
        return _identity(self._ask(_IDENTITY))

    def collect(self) -> Host:
        """Read every fact; see `HostDriver.collect`."""
        sysctl = self._ask(_ALL)
        online = online_cpus(sysctl)
        placement = read_placement(sysctl, online, self._domain_of_cpu(sysctl, online))
        memory = _memory(sysctl)
        identity, system, now = _identity(sysctl), _system(sysctl), clock.now()
        affinity, warnings = self._affinity()
        return Host(
            collected_at=now,
            hostname=identity.hostname,
            machine_id=identity.machine_id,
            product_uuid=identity.product_uuid,
            boot_id=identity.boot_id,
            system=replace(system, uptime_seconds=clock.uptime_seconds(system.boot_time, now)),
            cpu=_cpu(sysctl, placement),
            memory=memory,
            numa=_numa(sysctl, placement, memory),
            limits=Limits(affinity=affinity),
            pci=None,
            warnings=(*_view_warnings(system), *placement.warnings, *warnings),
        )

    def refresh(self, host: Host) -> Host:
        """Read the fast facts again; see `HostDriver.refresh`."""
        sysctl = self._ask(_MOVING)
        domains = 1 if host.numa.synthetic else len(host.numa.nodes)
        if online_cpus(sysctl) != host.cpu.online or (sysctl.number("vm.ndomains") or 1) != domains:
            return with_changes_told(host, self.collect())
        memory, now = _memory(sysctl), clock.now()
        affinity, warnings = self._affinity()
        return replace(
            host,
            collected_at=now,
            system=replace(
                host.system,
                uptime_seconds=clock.uptime_seconds(host.system.boot_time, now),
                load_average=sysctl.load_average(),
            ),
            memory=memory,
            numa=_refreshed(sysctl, host.numa, memory),
            limits=replace(host.limits, affinity=affinity),
            warnings=tuple(dict.fromkeys((*host.warnings, *warnings))),
        )

    def _ask(self, names: tuple[str, ...]) -> Sysctl:
        # -i: what this version or machine does not have is left out, and is no failure.
        return Sysctl.parse(self._run(_SYSCTL, ["-i", *names], _PATIENCE_SECONDS))

    def _domain_of_cpu(self, sysctl: Sysctl, online: CpuSet) -> dict[int, int]:
        """Ask which domain each CPU is in; on a machine with one the question is spared."""
        if (sysctl.number("vm.ndomains") or 1) == 1:
            return dict.fromkeys(online, 0)
        answer = self._ask(tuple(f"dev.cpu.{cpu}.%domain" for cpu in online))
        domains = {cpu: answer.number(f"dev.cpu.{cpu}.%domain") for cpu in online}
        return {cpu: domain for cpu, domain in domains.items() if domain is not None}

    def _affinity(self) -> tuple[CpuSet | None, tuple[HostWarning, ...]]:
        """Ask for the CPUs that this process may use."""
        try:
            return parse_affinity(self._run(_CPUSET, ["-g"], _PATIENCE_SECONDS)), ()
        except UnparsableText as error:
            return None, (HostWarning(code="text-unparsable", message=str(error)),)
        except SourceUnreadable as error:
            return None, (HostWarning(code="source-unreadable", message=str(error)),)


def _identity(sysctl: Sysctl) -> MachineIdentity:
    uuid = sysctl.text("kern.hostuuid")
    return MachineIdentity(
        hostname=sysctl.text("kern.hostname"),
        machine_id=uuid if uuid and uuid.strip("0-") else None,  # all zero is how a jail without one has it
        product_uuid=None,
        boot_id=None,
    )


def _system(sysctl: Sysctl) -> System:
    guest, release = sysctl.text("kern.vm_guest"), sysctl.text("kern.osrelease")
    jailed = sysctl.number("security.jail.jailed") == 1
    return System(
        os_type="freebsd",
        os=" ".join(filter(None, (sysctl.text("kern.ostype"), release))) or None,
        kernel=release,
        architecture=sysctl.text("hw.machine_arch"),
        virtualization=_HYPERVISORS.get(guest, guest) if guest else None,
        boot_time=sysctl.boot_time(),
        uptime_seconds=None,
        load_average=sysctl.load_average(),
        users=None,
        view="container" if jailed else "host",
        container="jail" if jailed else None,
        view_evidence="security.jail.jailed is 1" if jailed else None,
    )


def _view_warnings(system: System) -> tuple[HostWarning, ...]:
    if system.view_evidence is None:
        return ()
    message = f"these are the facts a container is shown: {system.view_evidence}"
    return (HostWarning(code="container-view", message=message),)


def _memory(sysctl: Sysctl) -> Memory:
    """Give the memory; what is available is our estimate, because FreeBSD gives no such number.

    Inactive pages and the part of ZFS's cache above its minimum are given up when memory is asked for; pages in the
    laundry must be written out first, and do not count.
    """
    page_bytes, total = sysctl.number("hw.pagesize"), sysctl.number("hw.physmem")
    if page_bytes is None or total is None:
        raise SourceUnreadable(_SYSCTL, "tells no hw.pagesize or hw.physmem")
    free, inactive = (sysctl.number(f"vm.stats.vm.v_{name}_count") for name in ("free", "inactive"))
    available = None
    if free is not None and inactive is not None:
        cached_pages = sysctl.number("vm.stats.vm.v_cache_count") or 0  # always 0 since FreeBSD 12
        cache, least = (sysctl.number(f"kstat.zfs.misc.arcstats.{name}") or 0 for name in ("size", "c_min"))
        available = min((free + inactive + cached_pages) * page_bytes + max(0, cache - least), total)
    swap_total = sysctl.number("vm.swap_total")
    return Memory(
        total_bytes=total,
        free_bytes=None if free is None else free * page_bytes,
        available_bytes=available,
        available_estimated=available is not None,
        buffers_bytes=sysctl.number("vfs.bufspace"),
        cached_bytes=None,
        slab_reclaimable_bytes=None,
        shmem_bytes=None,
        swap_total_bytes=swap_total,
        swap_free_bytes=0 if swap_total == 0 else None,
        hugepages=None,
    )


def _numa(sysctl: Sysctl, placement: Placement, memory: Memory) -> NumaTopology:
    count = sysctl.number("vm.ndomains")
    if count is None:
        return whole_machine(placement.online, memory)
    # The segments of memory include what the kernel took for itself when it started.
    sizes = {0: memory.total_bytes} if count == 1 else parse_segments(sysctl.text("vm.phys_segs") or "")
    distances = parse_distances(sysctl.text("vm.phys_locality") or "")
    nodes = []
    for domain in range(min(count, _MOST_DOMAINS)):
        cpus = CpuSet(cpu for cpu, at in placement.domain_of_cpu.items() if at == domain)
        node = NumaNode(
            id=domain,
            cpus=cpus,
            memory_total_bytes=sizes.get(domain),
            memory_free_bytes=_free_bytes(sysctl, domain),
            memory_kind="dram" if cpus else "unknown",
            memory_kind_evidence="it has CPUs" if cpus else "it has no CPUs, and nothing says what it is",
            hugepages=None,
            distances=distances.get(domain),
        )
        nodes.append(node)
    return NumaTopology(synthetic=False, nodes=tuple(nodes))


def _refreshed(sysctl: Sysctl, topology: NumaTopology, memory: Memory) -> NumaTopology:
    if topology.synthetic:
        return whole_machine(topology.nodes[0].cpus, memory)
    nodes = tuple(replace(node, memory_free_bytes=_free_bytes(sysctl, node.id)) for node in topology.nodes)
    return NumaTopology(synthetic=False, nodes=nodes)


def _free_bytes(sysctl: Sysctl, domain: int) -> int | None:
    pages, page_bytes = sysctl.number(f"vm.domain.{domain}.stats.free_count"), sysctl.number("hw.pagesize")
    return None if pages is None or page_bytes is None else pages * page_bytes


def _cpu(sysctl: Sysctl, placement: Placement) -> Cpu:
    told = parse_boot_messages(sysctl.text("kern.msgbuf") or "")
    highest = sysctl.number("kern.smp.maxid")
    possible = None if highest is None else CpuSet(range(min(highest, 65535) + 1)) | placement.online
    cores = placement.cores
    return Cpu(
        vendor=told.vendor,
        model=sysctl.text("hw.model"),
        family=told.family,
        microcode=None,
        flags=told.flags,
        possible=possible,
        present=placement.online,
        online=placement.online,
        offline=CpuSet(),
        isolated=None,
        nohz_full=None,
        sockets=told.packages,
        cores=None if cores is None else len(set(cores.values())),
        threads=len(placement.online),
        smt=Smt(control=None, active=None if cores is None else any(len(core) > 1 for core in cores.values())),
        kinds=(),
        processors=join(placement, sockets=told.packages),
        caches=placement.caches,
        vulnerabilities=None,
    )
