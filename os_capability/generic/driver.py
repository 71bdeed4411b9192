# SPDX-License-Identifier: Apache-2.0
"""GenericDriver: what psutil tells of a system that has no driver of its own; everything else is unknown.

psutil counts CPUs and does not number them: the ids are ours, from 0.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from os_capability import clock
from os_capability.cpuset import CpuSet
from os_capability.errors import MissingPackage, SourceUnreadable
from os_capability.model import Cpu, Host, Limits, MachineIdentity, Memory, Processor, Smt, System
from os_capability.pycpuinfo import CpuName, ask_py_cpuinfo
from os_capability.topology_change import with_changes_told
from os_capability.whole_machine import whole_machine

__all__ = ["GenericDriver"]


class GenericDriver:
    """Reads the machine it runs on through psutil; keeps the promises of `HostDriver`.

    Args:
        name_cpu: who names the CPU, which psutil does not.

    `collect` and `refresh` raise `MissingPackage` where psutil is not installed.
    """

    def __init__(self, name_cpu: Callable[[], CpuName] = ask_py_cpuinfo) -> None:
        self._name_cpu = name_cpu

    def identify(self) -> MachineIdentity:
        """Read who this machine is; see `HostDriver.identify`."""
        return MachineIdentity(hostname=platform.node() or None, machine_id=None, product_uuid=None, boot_id=None)

    def collect(self) -> Host:
        """Read every fact there is; see `HostDriver.collect`."""
        psutil = _psutil()
        cpu, memory, now = _cpu(psutil, self._name_cpu()), _memory(psutil), clock.now()
        identity = self.identify()
        return Host(
            collected_at=now,
            hostname=identity.hostname,
            machine_id=identity.machine_id,
            product_uuid=identity.product_uuid,
            boot_id=identity.boot_id,
            system=_system(psutil, now),
            cpu=cpu,
            memory=memory,
            numa=whole_machine(cpu.online, memory),
            limits=Limits(affinity=_affinity(psutil, cpu.online)),
            pci=None,
            warnings=(),
        )

    def refresh(self, host: Host) -> Host:
        """Read the fast facts again; see `HostDriver.refresh`."""
        psutil = _psutil()
        if _online(psutil) != host.cpu.online:
            return with_changes_told(host, self.collect())
        memory, now = _memory(psutil), clock.now()
        return replace(
            host,
            collected_at=now,
            system=_system(psutil, now),
            memory=memory,
            numa=whole_machine(host.cpu.online, memory),
            limits=replace(host.limits, affinity=_affinity(psutil, host.cpu.online)),
        )


def _psutil() -> Any:
    # Its functions differ from system to system, so that no type fits them all.
    try:
        import psutil
    except ImportError:
        raise MissingPackage("psutil", "psutil") from None
    return psutil


def _online(psutil: Any) -> CpuSet:
    count = psutil.cpu_count(logical=True)
    if not count:
        raise SourceUnreadable("psutil", "counts no CPU on this system")
    return CpuSet(range(count))


def _cpu(psutil: Any, named: CpuName) -> Cpu:
    online, cores = _online(psutil), psutil.cpu_count(logical=False) or None
    alone = cores == len(online)
    return Cpu(
        vendor=named.vendor,
        model=named.model,
        family=None,
        microcode=None,
        flags=named.flags,
        possible=None,
        present=online,
        online=online,
        offline=CpuSet(),
        isolated=None,
        nohz_full=None,
        sockets=None,
        cores=cores,
        threads=len(online),
        smt=Smt(control=None, active=None if cores is None else cores < len(online)),
        kinds=(),
        processors=tuple(Processor(id=cpu, online=True, core=cpu if alone else None, node=0) for cpu in online),
        caches=None,
        vulnerabilities=None,
    )


def _memory(psutil: Any) -> Memory:
    """Give the memory; psutil's "available" is its own formula on each system."""
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return Memory(
        total_bytes=memory.total,
        free_bytes=memory.free,
        available_bytes=memory.available,
        available_estimated=True,
        buffers_bytes=getattr(memory, "buffers", None),
        cached_bytes=getattr(memory, "cached", None),
        slab_reclaimable_bytes=None,
        shmem_bytes=getattr(memory, "shared", None),
        swap_total_bytes=swap.total,
        swap_free_bytes=swap.free,
        hugepages=None,
    )


def _system(psutil: Any, now: datetime) -> System:
    boot_time = datetime.fromtimestamp(int(psutil.boot_time()), timezone.utc)
    return System(
        os_type=sys.platform,
        os=platform.system() or None,
        kernel=platform.release() or None,
        architecture=platform.machine() or None,
        virtualization=None,
        boot_time=boot_time,
        uptime_seconds=clock.uptime_seconds(boot_time, now),
        load_average=_load_average(),
        users=len(psutil.users()),
        view="host",
        container=None,
        view_evidence=None,
    )


def _load_average() -> tuple[float, ...] | None:
    try:
        return os.getloadavg()
    except (AttributeError, OSError):
        return None


def _affinity(psutil: Any, online: CpuSet) -> CpuSet | None:
    """Give the CPUs this process may use; psutil knows them on a few systems."""
    process = psutil.Process()
    return CpuSet(process.cpu_affinity()) & online if hasattr(process, "cpu_affinity") else None
