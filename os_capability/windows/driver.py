# SPDX-License-Identifier: Apache-2.0
"""WindowsDriver: joins what Windows's API and registry give into a `Host`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from os_capability import clock
from os_capability.cpuset import CpuSet
from os_capability.errors import SourceUnreadable
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
from os_capability.pycpuinfo import CpuName, ask_py_cpuinfo
from os_capability.topology_change import with_changes_told
from os_capability.whole_machine import whole_machine
from os_capability.windows import names
from os_capability.windows.processor_information import ProcessorInformation, parse_processor_information
from os_capability.windows.topology import join, kinds_of
from os_capability.windows.win32 import Win32

__all__ = ["WindowsDriver", "WindowsSystem"]

_VERSION = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_CRYPTOGRAPHY = r"SOFTWARE\Microsoft\Cryptography"
_PROCESSOR = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
_FIRMWARE = r"HARDWARE\DESCRIPTION\System\BIOS"
_CONTROL = r"SYSTEM\CurrentControlSet\Control"


class WindowsSystem(Protocol):
    """What the driver asks of Windows; `Win32` says what each answer is."""

    def pointer_bytes(self) -> int: ...  # noqa: D102
    def processor_information(self) -> bytes: ...  # noqa: D102
    def memory_status(self) -> bytes: ...  # noqa: D102
    def node_available_bytes(self, node: int) -> int | None: ...  # noqa: D102
    def uptime_seconds(self) -> float: ...  # noqa: D102
    def registry(self, key: str, name: str) -> object: ...  # noqa: D102
    def hostname(self) -> str | None: ...  # noqa: D102
    def architecture(self) -> str | None: ...  # noqa: D102
    def swap_bytes(self) -> tuple[int, int] | None: ...  # noqa: D102
    def users(self) -> int | None: ...  # noqa: D102


class WindowsDriver:
    """Reads the Windows machine it runs on; keeps the promises of `HostDriver`.

    Args:
        system: answers for Windows; recorded answers can stand in for it.
        name_cpu: who names the CPU where the registry does not.
    """

    def __init__(self, system: WindowsSystem | None = None, name_cpu: Callable[[], CpuName] = ask_py_cpuinfo) -> None:
        self._system: WindowsSystem = Win32() if system is None else system
        self._name_cpu = name_cpu

    def identify(self) -> MachineIdentity:
        """Read who this machine is; see `HostDriver.identify`."""
        return MachineIdentity(
            hostname=self._system.hostname(),
            machine_id=self._text(_CRYPTOGRAPHY, "MachineGuid"),
            product_uuid=None,
            boot_id=None,
        )

    def collect(self) -> Host:
        """Read every fact; see `HostDriver.collect`."""
        information = self._processors()
        memory, now = self._memory(), clock.now()
        identity, system = self.identify(), self._read_system(now)
        return Host(
            collected_at=now,
            hostname=identity.hostname,
            machine_id=identity.machine_id,
            product_uuid=identity.product_uuid,
            boot_id=identity.boot_id,
            system=system,
            cpu=self._cpu(information),
            memory=memory,
            numa=self._numa(information, memory),
            limits=Limits(),
            pci=None,
            warnings=tuple(_warnings(system, memory)),
        )

    def refresh(self, host: Host) -> Host:
        """Read the fast facts again; see `HostDriver.refresh`."""
        information = self._processors()
        nodes = {} if host.numa.synthetic else {node.id: node.cpus for node in host.numa.nodes}
        if (information.online, information.nodes) != (host.cpu.online, nodes):
            return with_changes_told(host, self.collect())
        memory = self._memory()
        return replace(
            host,
            collected_at=clock.now(),
            system=replace(host.system, uptime_seconds=self._system.uptime_seconds(), users=self._system.users()),
            memory=memory,
            numa=self._numa(information, memory),
        )

    def _processors(self) -> ProcessorInformation:
        buffer = self._system.processor_information()
        information = parse_processor_information(buffer, pointer_bytes=self._system.pointer_bytes())
        if not information.online:
            raise SourceUnreadable("GetLogicalProcessorInformationEx", "names no core")
        return information

    def _memory(self) -> Memory:
        status = names.parse_memory_status(self._system.memory_status())
        swap_total, swap_free = self._system.swap_bytes() or (None, None)
        return Memory(
            total_bytes=status.total_bytes,
            free_bytes=None,  # Windows counts what its cache would give up as well, and that is what is available
            available_bytes=status.available_bytes,
            available_estimated=False,
            buffers_bytes=None,
            cached_bytes=None,
            slab_reclaimable_bytes=None,
            shmem_bytes=None,
            swap_total_bytes=swap_total,
            swap_free_bytes=swap_free,
            hugepages=None,
        )

    def _numa(self, information: ProcessorInformation, memory: Memory) -> NumaTopology:
        """Give the nodes; Windows tells what each has to give, and how much it has only where there is one."""
        if not information.nodes:
            return whole_machine(information.online, memory)
        only_one = len(information.nodes) == 1
        nodes = tuple(
            NumaNode(
                id=node,
                cpus=cpus & information.online,
                memory_total_bytes=memory.total_bytes if only_one else None,
                memory_free_bytes=self._system.node_available_bytes(node),
                memory_kind="dram" if cpus else "unknown",
                memory_kind_evidence="it has CPUs" if cpus else "it has no CPUs, and nothing says what it is",
                hugepages=None,
                distances=None,
            )
            for node, cpus in information.nodes.items()
        )
        return NumaTopology(synthetic=False, nodes=nodes)

    def _read_system(self, now: datetime) -> System:
        uptime_seconds, build = self._system.uptime_seconds(), self._text(_VERSION, "CurrentBuildNumber")
        contained = self._system.registry(_CONTROL, "ContainerType") is not None
        return System(
            os_type="windows",
            os=names.system_name(self._text(_VERSION, "ProductName"), self._text(_VERSION, "DisplayVersion"), build),
            kernel=names.kernel_version(
                self._number(_VERSION, "CurrentMajorVersionNumber"),
                self._number(_VERSION, "CurrentMinorVersionNumber"),
                build,
                self._number(_VERSION, "UBR"),
            ),
            architecture=self._system.architecture(),
            virtualization=names.virtualization(
                self._text(_FIRMWARE, "SystemManufacturer"), self._text(_FIRMWARE, "SystemProductName")
            ),
            boot_time=(now - timedelta(seconds=uptime_seconds)).replace(microsecond=0),
            uptime_seconds=uptime_seconds,
            load_average=None,
            users=self._system.users(),
            view="container" if contained else "host",
            container="windows" if contained else None,
            view_evidence=rf"the registry has {_CONTROL}\ContainerType" if contained else None,
        )

    def _cpu(self, information: ProcessorInformation) -> Cpu:
        online = information.online
        named = CpuName(self._text(_PROCESSOR, "VendorIdentifier"), self._text(_PROCESSOR, "ProcessorNameString"), None)
        if named.model is None:
            named = self._name_cpu()
        revision = self._system.registry(_PROCESSOR, "Update Revision")
        return Cpu(
            vendor=named.vendor,
            model=named.model,
            family=names.family(self._text(_PROCESSOR, "Identifier")),
            microcode=names.microcode(revision if isinstance(revision, bytes) else None),
            flags=named.flags,
            possible=information.possible | online if information.possible else None,
            present=online,
            online=online,
            offline=CpuSet(),
            isolated=None,
            nohz_full=None,
            sockets=len(information.packages) or None,
            cores=len({core.cpus for core in information.cores}),
            threads=len(online),
            smt=Smt(control=None, active=any(len(core.cpus) > 1 for core in information.cores)),
            kinds=kinds_of(information.cores),
            processors=join(information),
            caches=information.caches or None,
            vulnerabilities=None,
        )

    def _text(self, key: str, name: str) -> str | None:
        value = self._system.registry(key, name)
        return value.strip("\0 ") or None if isinstance(value, str) else None

    def _number(self, key: str, name: str) -> int | None:
        value = self._system.registry(key, name)
        return value if isinstance(value, int) else None


def _warnings(system: System, memory: Memory) -> list[HostWarning]:
    warnings = []
    if system.view_evidence is not None:
        message = f"these are the facts a container is shown: {system.view_evidence}"
        warnings.append(HostWarning(code="container-view", message=message))
    if memory.swap_total_bytes is None:
        message = "swap and logged-in users are unknown without psutil: pip install 'os-capability[psutil]'"
        warnings.append(HostWarning(code="package-missing", message=message))
    return warnings
