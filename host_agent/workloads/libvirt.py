# SPDX-License-Identifier: Apache-2.0
"""The domains of libvirt, asked through its own library, read-only."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from host_agent.workloads.engine import ABSENT, ANSWERED, UNREADABLE, EngineReport
from host_agent.workloads.workload import PAUSED, RUNNING, STOPPED, VM, Workload

if TYPE_CHECKING:
    from host_agent.workloads.domain_xml import Domain

__all__ = ["LibvirtEngine"]

_NAME = "libvirt"
_USUAL_URI = "qemu:///system"
# The daemon of all drivers, and QEMU's own since libvirt 5.6; each with a second socket for those who only read.
_SOCKETS = ("libvirt-sock", "libvirt-sock-ro", "virtqemud-sock", "virtqemud-sock-ro")
_DEFINITIONS = "etc/libvirt/qemu"
_NO_PACKAGE = "the Python package libvirt is not there: pip install 'os-capability[libvirt]'"
_NO_PERMISSION = "let the agent's user into the group libvirt (SupplementaryGroups=libvirt in a drop-in)"


class LibvirtEngine:
    """Asks libvirt for all its domains: one call for what they do, and one each for what they are.

    It connects anew at each look (about 1 ms), so that a daemon that was started again is no matter.
    """

    def __init__(self, uri: str = _USUAL_URI, *, root: str = "/") -> None:
        """Prepare; nothing is opened.

        Args:
            uri: what to connect to, as libvirt writes it.
            root: the folder with the machine's ``etc``, ``proc`` and ``run``.
        """
        self._uri = uri
        self._root = root

    @property
    def name(self) -> str:
        """The engine's name."""
        return _NAME

    def look(self) -> EngineReport:
        """Ask for every domain, stopped ones too; what goes wrong is in the answer, never raised."""
        if self._uri == _USUAL_URI and not self._is_here():
            # Before its library is loaded, which takes 12 MiB for good.
            return EngineReport(engine=_NAME, status=ABSENT)
        try:
            import libvirt
        except ImportError as error:
            return self._without_package(error)
        # The library would print each error to standard error as well.
        libvirt.registerErrorHandler(lambda _context, _error: None, None)
        try:
            with closing(self._connect(libvirt)) as connection:
                return self._ask(libvirt, connection)
        except libvirt.libvirtError as error:
            return self._refused(libvirt, error)

    def _without_package(self, error: ImportError) -> EngineReport:
        if not self._is_here():
            return EngineReport(engine=_NAME, status=ABSENT)
        missing = isinstance(error, ModuleNotFoundError)
        return _unreadable(_NO_PACKAGE if missing else f"the Python package libvirt cannot be loaded: {error}")

    def _connect(self, libvirt: Any) -> Any:
        try:
            return libvirt.openReadOnly(self._uri)
        except libvirt.libvirtError as error:
            # The daemon of a user has one socket, for reading and writing.
            if not _is_about_socket(libvirt, error, errno.ENOENT):
                raise
            return libvirt.open(self._uri)

    def _refused(self, libvirt: Any, error: Exception) -> EngineReport:
        if _is_about_socket(libvirt, error, errno.ENOENT) and not self._has_domains():
            return EngineReport(engine=_NAME, status=ABSENT)
        reason = f"{self._uri}: {' '.join(str(error).split())}"
        if _is_about_socket(libvirt, error, errno.EACCES):
            reason += f"; {_NO_PERMISSION}"
        elif _is_about_socket(libvirt, error, errno.ECONNREFUSED, errno.ENOENT):
            reason += "; start libvirtd or virtqemud"
        return _unreadable(reason)

    def _is_here(self) -> bool:
        """Tell whether its daemon listens, or has left definitions behind."""
        return any(Path(self._root, "run/libvirt", name).exists() for name in _SOCKETS) or self._has_domains()

    def _has_domains(self) -> bool:
        """Tell whether domains are defined, so the daemon is stopped and not absent; a closed folder tells nothing."""
        return any(Path(self._root, _DEFINITIONS).glob("*.xml"))

    def _ask(self, libvirt: Any, connection: Any) -> EngineReport:
        default_page = _default_page_bytes(self._root)
        workloads, growth = [], 0
        for domain, stats in _domains(libvirt, connection):
            try:
                state = _state(libvirt, domain, stats)
                description = _description(libvirt, connection, domain, default_page)
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                    raise
                continue  # it went away meanwhile
            disks = _disks(description, stats, is_on=state != STOPPED)
            workloads.append(_workload(domain, state, description, disks))
            growth += sum(max(0, size - taken) for size, taken in disks or ())
        return EngineReport(
            engine=_NAME,
            status=ANSWERED,
            workloads=tuple(sorted(workloads, key=lambda workload: workload.uuid)),
            hypervisor_type=connection.getType().upper(),
            hypervisor_version=_version(libvirt, connection),
            disk_overcommitted_bytes=growth,
        )


def _domains(libvirt: Any, connection: Any) -> list[tuple[Any, dict[str, Any]]]:
    """Give each domain with what is known of its state and its disks, in one call where the driver has it."""
    wanted = libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_BLOCK
    try:
        # NOWAIT: a QEMU that does not answer leaves its own figures out, and holds up nobody else's.
        listed: list[tuple[Any, dict[str, Any]]] = connection.getAllDomainStats(
            wanted, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
        )
    except libvirt.libvirtError:
        if not connection.isAlive():
            raise
        return [(domain, {}) for domain in connection.listAllDomains()]
    return listed


def _state(libvirt: Any, domain: Any, stats: Mapping[str, Any]) -> str:
    state = stats.get("state.state")
    if state is None:
        state = domain.state()[0]
    if state in (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PMSUSPENDED):
        return PAUSED
    # One that is crashing or shutting down, too, is on as long as it has an id.
    return RUNNING if domain.ID() >= 0 else STOPPED


def _description(libvirt: Any, connection: Any, domain: Any, default_page: int | None) -> Domain | None:
    """Give what a domain is, ``None`` where it does not tell."""
    # Here, where there are domains: a parser of XML is nothing for hosts without.
    from host_agent.workloads.domain_xml import parse_domain

    try:
        return parse_domain(domain.XMLDesc(0), default_page)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN or not connection.isAlive():
            raise
        return None


def _disks(description: Domain | None, stats: Mapping[str, Any], *, is_on: bool) -> list[tuple[int, int]] | None:
    """Give what each of a domain's own disks may grow to and what it takes already, in bytes; ``None``: not known."""
    if description is None:
        return None
    numbers = {stats.get(f"block.{number}.name"): number for number in range(stats.get("block.count", 0))}
    # Of one that is on `allocation` is how far it was written to since it was started, `physical` what it takes; of
    # one that is off, `physical` is the length of its file, holes and all.
    taken = "physical" if is_on else "allocation"
    disks = []
    for target in description.disks:
        size = stats.get(f"block.{numbers.get(target)}.capacity")
        if size is None:
            return None
        disks.append((size, stats.get(f"block.{numbers[target]}.{taken}", size)))
    return disks


def _workload(domain: Any, state: str, description: Domain | None, disks: list[tuple[int, int]] | None) -> Workload:
    known = description or Domain()
    return Workload(
        uuid=domain.UUIDString(),
        name=domain.name(),
        engine=_NAME,
        kind=VM,
        state=state,
        vcpus=known.vcpus,
        cpuset=known.cpuset,
        memory_bytes=known.memory_bytes,
        hugepages=known.hugepages,
        disk_bytes=None if disks is None else sum(size for size, _ in disks),
        numa_nodes=known.numa_nodes,
        labels=known.labels,
    )


def _version(libvirt: Any, connection: Any) -> int | None:
    """Give the hypervisor's version; libvirt's number is Nova's."""
    try:
        return int(connection.getVersion()) or None
    except libvirt.libvirtError:  # no emulator is installed
        return None


def _default_page_bytes(root: str) -> int | None:
    """Give the size of the huge pages that the kernel gives to who asks for no size."""
    try:
        text = Path(root, "proc", "meminfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = re.search(r"^Hugepagesize: +([0-9]{1,12}) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _is_about_socket(libvirt: Any, error: Any, *numbers: int) -> bool:
    """Tell whether the daemon's socket could not be reached for one of these reasons."""
    reported = (error.get_error_domain(), error.get_error_code())
    return reported == (libvirt.VIR_FROM_RPC, libvirt.VIR_ERR_SYSTEM_ERROR) and error.get_int1() in numbers


def _unreadable(reason: str) -> EngineReport:
    return EngineReport(engine=_NAME, status=UNREADABLE, reason=reason)
