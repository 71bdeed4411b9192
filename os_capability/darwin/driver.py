# SPDX-License-Identifier: Apache-2.0
"""DarwinDriver: asks ``sysctl`` and ``vm_stat`` of a Mac and joins their answers into a `Host`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from os_capability import clock
from os_capability.command import Run, run
from os_capability.cpu_flags import spelled_as_linux
from os_capability.darwin.topology import MacCpus, join, read_cpus
from os_capability.darwin.vm_stat import parse_swap_usage, parse_vm_stat
from os_capability.errors import SourceUnreadable
from os_capability.hypervisors import hypervisor_by_firmware
from os_capability.model import Cpu, Host, Limits, MachineIdentity, Memory, Smt, System
from os_capability.sysctl import Sysctl
from os_capability.topology_change import with_changes_told
from os_capability.whole_machine import whole_machine

__all__ = ["DarwinDriver"]

_SYSCTL, _VM_STAT = "/usr/sbin/sysctl", "/usr/bin/vm_stat"
_PATIENCE_SECONDS = 10.0

_MOVING = ("hw.logicalcpu", "hw.logicalcpu_max", "hw.ncpu", "hw.memsize", "vm.loadavg", "vm.swapusage")
_IDENTITY = ("kern.hostname", "kern.bootsessionuuid")
_ALL = (
    *_IDENTITY,
    "hw",
    # `hw` does not list these two.
    "hw.machine",
    "hw.model",
    "machdep.cpu",
    "kern.osrelease",
    "kern.osproductversion",
    "kern.boottime",
    "kern.hv_vmm_present",
    "vm.loadavg",
    "vm.swapusage",
)


class DarwinDriver:
    """Reads the Mac it runs on; keeps the promises of `HostDriver`.

    Args:
        run: starts the programs; recorded answers of a Mac can stand in for them.
    """

    def __init__(self, run: Run = run) -> None:
        self._run = run

    def identify(self) -> MachineIdentity:
        """Read who this machine is; see `HostDriver.identify`."""
        return _identity(self._ask(_IDENTITY))

    def collect(self) -> Host:
        """Read every fact; see `HostDriver.collect`."""
        sysctl = self._ask(_ALL)
        cpus = _cpus(sysctl)
        memory = self._memory(sysctl)
        identity, now = _identity(sysctl), clock.now()
        return Host(
            collected_at=now,
            hostname=identity.hostname,
            machine_id=identity.machine_id,
            product_uuid=identity.product_uuid,
            boot_id=identity.boot_id,
            system=_system(sysctl, now),
            cpu=_cpu(sysctl, cpus),
            memory=memory,
            numa=whole_machine(cpus.online, memory),
            limits=Limits(),
            pci=None,
            warnings=(),
        )

    def refresh(self, host: Host) -> Host:
        """Read the fast facts again; see `HostDriver.refresh`."""
        sysctl = self._ask(_MOVING)
        now_online = sysctl.number("hw.logicalcpu") or sysctl.number("hw.ncpu")
        now_present = sysctl.number("hw.logicalcpu_max") or sysctl.number("hw.ncpu")
        if (now_online, now_present) != (len(host.cpu.online), len(host.cpu.present)):
            return with_changes_told(host, self.collect())
        memory, now = self._memory(sysctl), clock.now()
        return replace(
            host,
            collected_at=now,
            system=replace(
                host.system,
                uptime_seconds=clock.uptime_seconds(host.system.boot_time, now),
                load_average=sysctl.load_average(),
            ),
            memory=memory,
            numa=whole_machine(host.cpu.online, memory),
        )

    def _ask(self, names: tuple[str, ...]) -> Sysctl:
        # -i: what this version or machine does not have is left out, and is no failure.
        return Sysctl.parse(self._run(_SYSCTL, ["-i", *names], _PATIENCE_SECONDS))

    def _memory(self, sysctl: Sysctl) -> Memory:
        total = sysctl.number("hw.memsize")
        if total is None:
            raise SourceUnreadable(_SYSCTL, "tells no hw.memsize")
        pages = parse_vm_stat(self._run(_VM_STAT, [], _PATIENCE_SECONDS))
        swap_total, swap_free = parse_swap_usage(sysctl.text("vm.swapusage") or "")
        # What Activity Monitor calls cached files; the system gives it up as soon as memory is asked for.
        cached = None
        if pages.file_backed_bytes is not None and pages.purgeable_bytes is not None:
            cached = pages.file_backed_bytes + pages.purgeable_bytes
        return Memory(
            total_bytes=total,
            free_bytes=pages.free_bytes,
            available_bytes=None if cached is None else min(pages.free_bytes + cached, total),
            available_estimated=cached is not None,
            buffers_bytes=None,
            cached_bytes=cached,
            slab_reclaimable_bytes=None,
            shmem_bytes=None,
            swap_total_bytes=swap_total,
            swap_free_bytes=swap_free,
            hugepages=None,
        )


def _identity(sysctl: Sysctl) -> MachineIdentity:
    return MachineIdentity(
        hostname=sysctl.text("kern.hostname"),
        machine_id=None,
        product_uuid=None,
        boot_id=sysctl.text("kern.bootsessionuuid"),
    )


def _cpus(sysctl: Sysctl) -> MacCpus:
    cpus = read_cpus(sysctl)
    if cpus is None:
        raise SourceUnreadable(_SYSCTL, "tells neither hw.logicalcpu_max nor hw.ncpu")
    return cpus


def _system(sysctl: Sysctl, now: datetime) -> System:
    version, boot_time = sysctl.text("kern.osproductversion"), sysctl.boot_time()
    return System(
        os_type="darwin",
        os="macOS" if version is None else f"macOS {version}",
        kernel=sysctl.text("kern.osrelease"),
        architecture=sysctl.text("hw.machine"),
        virtualization=_virtualization(sysctl),
        boot_time=boot_time,
        uptime_seconds=clock.uptime_seconds(boot_time, now),
        load_average=sysctl.load_average(),
        users=None,
        view="host",
        container=None,
        view_evidence=None,
    )


def _virtualization(sysctl: Sysctl) -> str | None:
    """Give the hypervisor; one without a name is ``vm-other``, as systemd-detect-virt has it."""
    if sysctl.number("kern.hv_vmm_present") != 1:
        return None
    return hypervisor_by_firmware(sysctl.text("hw.model") or "") or "vm-other"


def _cpu(sysctl: Sysctl, cpus: MacCpus) -> Cpu:
    topology = join(sysctl, cpus)
    model = sysctl.text("machdep.cpu.brand_string")
    microcode = sysctl.number("machdep.cpu.microcode_version")
    cores = {processor.core for processor in topology.processors if processor.online}
    return Cpu(
        vendor=sysctl.text("machdep.cpu.vendor") or ("Apple" if model and model.startswith("Apple ") else None),
        model=model,
        family=sysctl.text("machdep.cpu.family"),
        microcode=hex(microcode) if microcode else None,
        flags=_flags(sysctl),
        possible=cpus.present,
        present=cpus.present,
        online=cpus.online,
        offline=cpus.present - cpus.online,
        isolated=None,
        nohz_full=None,
        sockets=topology.sockets,
        cores=topology.cores,
        threads=len(cpus.online),
        smt=Smt(control=None, active=None if None in cores else len(cpus.online) > len(cores)),
        kinds=topology.kinds,
        processors=topology.processors,
        caches=topology.caches or None,
        vulnerabilities=None,
    )


def _flags(sysctl: Sysctl) -> tuple[str, ...] | None:
    """Give Intel's features as Linux spells them, and Arm's by the names of its architecture (``FEAT_LSE``)."""
    names = ("machdep.cpu.features", "machdep.cpu.leaf7_features", "machdep.cpu.extfeatures")
    intel = spelled_as_linux(" ".join(sysctl.text(name) or "" for name in names).split())
    arm = [
        name.rpartition(".")[2]
        for name, value in sysctl.values.items()
        if name.startswith("hw.optional.arm.FEAT_") and value == "1"
    ]
    return (*intel, *arm) or None
