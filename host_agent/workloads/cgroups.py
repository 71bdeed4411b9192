# SPDX-License-Identifier: Apache-2.0
"""The containers and virtual machines that run, by their control groups alone: no engine is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator

from host_agent.workloads.cgroup_hierarchies import Hierarchies, find_hierarchies, read_text
from host_agent.workloads.cgroup_reader import CgroupReader, GroupLimits, subgroups
from host_agent.workloads.cgroup_scope import Scope, may_hold_workloads, parse_scope
from host_agent.workloads.engine import ABSENT, ANSWERED, UNREADABLE, EngineReport
from host_agent.workloads.qemu_command_line import QemuMachine, parse_qemu_command_line
from host_agent.workloads.workload import PAUSED, RUNNING, VM, Workload, workload_uuid
from os_capability import CpuSet

__all__ = ["CgroupsEngine"]

_NAME = "cgroups"
# /user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_<id>.slice/libpod-<id>.scope is 6 deep.
_DEEPEST = 10
# Where libvirt has put a machine's QEMU below its group, over the years.
_QEMU_PLACES = ("", "/libvirt", "/libvirt/emulator", "/emulator")
_VCPU = re.compile(r".+/vcpu[0-9]+")
_LONGEST_NAME = 255
_PART_ONLY = (
    "shows a container's own part of the control groups: give the agent's container the host's "
    "(--cgroupns=host, with the host's /sys/fs/cgroup)"
)


class CgroupsEngine:
    """Finds what runs where its engine is down or not to be reached; what is stopped it cannot see."""

    def __init__(self, root: str = "/") -> None:
        """Prepare; nothing is opened.

        Args:
            root: the folder with the machine's ``proc``, ``sys`` and ``etc``.
        """
        self._root = root

    @property
    def name(self) -> str:
        """The engine's name; each of its workloads has the name of the engine that runs it."""
        return _NAME

    def look(self) -> EngineReport:
        """Walk the trees; what goes wrong is in the answer, never raised."""
        hierarchies = find_hierarchies(self._root)
        if not hierarchies.walked:
            return EngineReport(engine=_NAME, status=ABSENT, lists_stopped=False)
        if hierarchies.part is not None:
            return _unreadable(f"{hierarchies.part} {_PART_ONLY}")
        try:
            workloads = self._workloads(hierarchies)
        except PermissionError as error:
            return _unreadable(f"{error.filename}: {error.strerror}: what runs below it is not known")
        return EngineReport(
            engine=_NAME,
            status=ANSWERED,
            workloads=tuple(sorted(workloads, key=lambda workload: workload.uuid)),
            lists_stopped=False,
        )

    def _workloads(self, hierarchies: Hierarchies) -> list[Workload]:
        reader = CgroupReader(hierarchies, self._root)
        machine_id = (read_text(f"{self._root}/etc/machine-id") or "").strip()
        scopes: dict[str, Scope] = {}
        for tree in hierarchies.walked:
            scopes |= _scopes(tree)
        found: dict[str, Workload] = {}
        for group, scope in scopes.items():
            if not reader.is_populated(group) or (scope.in_pod and self._only_holds_pod(reader, group)):
                continue
            workload = self._workload(reader, group, scope, machine_id)
            found.setdefault(workload.uuid, workload)
        return list(found.values())

    def _workload(self, reader: CgroupReader, group: str, scope: Scope, machine_id: str) -> Workload:
        machine = self._machine(reader, group) if scope.kind == VM else QemuMachine()
        name = machine.name or scope.name
        # What is known by a name alone has its like on other hosts.
        identifier = scope.identifier or f"{machine_id} {scope.name}"
        limits = reader.limits(group)
        pages = sum(held.size_bytes * held.count for held in limits.hugepages or ())
        return Workload(
            uuid=machine.uuid or workload_uuid(scope.engine, identifier, name),
            name=_printable(name),
            engine=scope.engine,
            kind=scope.kind,
            state=PAUSED if reader.is_frozen(group) else RUNNING,
            vcpus=machine.vcpus or _vcpus(scope, limits),
            cpuset=_machine_cpuset(reader, group) if scope.kind == VM else limits.cpuset,
            memory_bytes=machine.memory_bytes or (limits.memory_bytes and limits.memory_bytes + pages),
            hugepages=limits.hugepages,
            numa_nodes=limits.numa_nodes,
        )

    def _machine(self, reader: CgroupReader, group: str) -> QemuMachine:
        for place in _QEMU_PLACES:
            for process in reader.processes(group + place):
                machine = parse_qemu_command_line(self._command_line(process))
                if machine is not None:
                    return machine
        return QemuMachine()

    def _only_holds_pod(self, reader: CgroupReader, group: str) -> bool:
        """Tell whether a container is the one that keeps its pod's namespaces alive, and does nothing else."""
        programs = [self._command_line(process)[:1] for process in reader.processes(group)]
        return bool(programs) and all(program and program[0].rpartition("/")[2] == "pause" for program in programs)

    def _command_line(self, process: int) -> list[str]:
        return (read_text(f"{self._root}/proc/{process}/cmdline") or "").split("\0")


def _scopes(tree: str) -> dict[str, Scope]:
    """Give the workloads' groups of a tree by their paths; no look at what is below them, or below what holds none."""
    return dict(_below(tree, ()))


def _below(tree: str, path: tuple[str, ...]) -> Iterator[tuple[str, Scope]]:
    for name in subgroups("/".join((tree, *path))):
        group = (*path, name)
        scope = parse_scope(group)
        if scope is not None:
            yield "/".join(group), scope
        elif len(group) < _DEEPEST and may_hold_workloads(name):
            yield from _below(tree, group)


def _vcpus(scope: Scope, limits: GroupLimits) -> float | None:
    if limits.quota is not None:
        return limits.quota
    # Every container of a pod that asks for no CPU of its own is given all those that are left, like all the others.
    is_limit = limits.cpuset is not None and limits.has_own_cpuset and not scope.in_pod
    return len(limits.cpuset) if is_limit and limits.cpuset is not None else None


def _machine_cpuset(reader: CgroupReader, group: str) -> CpuSet | None:
    """Give where a machine's vCPUs may run: libvirt has a group for each."""
    places = [
        place for parent in (group, f"{group}/libvirt") for place in reader.parts(parent) if _VCPU.fullmatch(place)
    ]
    sets = [reader.cpuset(place) for place in places or [group]]
    known = [cpus for cpus in sets if cpus is not None]
    return CpuSet.union(known) if len(known) == len(sets) else None


def _printable(name: str) -> str:
    """Give a name as any database takes it: whoever may make a group of his own chooses its name."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:_LONGEST_NAME]


def _unreadable(reason: str) -> EngineReport:
    return EngineReport(engine=_NAME, status=UNREADABLE, reason=reason, lists_stopped=False)
