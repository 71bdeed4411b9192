# SPDX-License-Identifier: Apache-2.0
"""What changed about the machine as a whole: its identity, its system, the limits, the reader's warnings."""

from __future__ import annotations

from os_capability.cpuset import CpuSet
from os_capability.insight.changes.change import CHANGED, Change, altered
from os_capability.model import Host, Limits
from os_capability.size import format_bytes

__all__ = ["identity_changes", "limit_changes", "system_changes", "warning_changes"]

# They tell of one moment: what moved since the collection before, and whether lscpu answered in time.
_MOMENTARY = frozenset({"lscpu-unavailable", "topology-changed"})


def identity_changes(old: Host, new: Host) -> list[Change]:
    """Tell whether it is another machine, another boot, another name."""
    changes = _another_machine(old, new)
    if not changes and _differ(old.boot_id, new.boot_id):
        detail: dict[str, object] = {"old": old.boot_id, "new": new.boot_id}
        changes.append(Change(code="host-rebooted", effect=CHANGED, message="the host rebooted", detail=detail))
    return changes + altered("hostname-changed", "hostname", old.hostname, new.hostname)


# What the ids that differ may mean, if not simply that it is another machine.
_OR_ELSE = {
    ("machine_id",): ", or installed anew",
    ("product_uuid",): ", or with another board",
    ("machine_id", "product_uuid"): "",
}


def _another_machine(old: Host, new: Host) -> list[Change]:
    ids = tuple(name for name in ("machine_id", "product_uuid") if _differ(getattr(old, name), getattr(new, name)))
    if not ids:
        return []
    told = (f"{name.replace('_', ' ')} {getattr(old, name)} -> {getattr(new, name)}" for name in ids)
    message = f"another machine{_OR_ELSE[ids]} ({', '.join(told)})"
    detail = {"id": ids[0], "old": getattr(old, ids[0]), "new": getattr(new, ids[0])}
    return [Change(code="different-machine", effect=CHANGED, message=message, detail=detail)]


def _differ(old: str | None, new: str | None) -> bool:
    return old is not None and new is not None and old != new


def system_changes(old: Host, new: Host) -> list[Change]:
    """Tell what the operating system, and where it runs, changed to."""
    before, after = old.system, new.system
    return [
        *_view_change(old, new),
        *altered("os-type-changed", "operating system", before.os_type, after.os_type),
        *altered("os-changed", "distribution", before.os, after.os),
        *altered("kernel-changed", "kernel", before.kernel, after.kernel),
        *altered("architecture-changed", "architecture", before.architecture, after.architecture),
        *altered("virtualization-changed", "virtualization", before.virtualization, after.virtualization),
    ]


def _view_change(old: Host, new: Host) -> list[Change]:
    before, after = old.system, new.system
    if before.view == after.view:
        return altered("container-changed", "container", before.container, after.container)
    if after.view == "container":
        made_by = f" ({after.container})" if after.container else ""
        message = f"now seen from a container{made_by}: the facts are those it is shown"
    else:
        message = f"now seen from the {after.view}, no longer from a {before.view}"
    return [
        Change(code="view-changed", effect=CHANGED, message=message, detail={"old": before.view, "new": after.view})
    ]


def limit_changes(old: Host, new: Host) -> list[Change]:
    """Tell which limits of the asking process changed; CPUs that went or came do not make a limit another."""
    before, after = old.limits, new.limits
    common = old.cpu.online & new.cpu.online
    changes = []
    if before.affinity is not None and after.affinity is not None:
        mine, yours = before.affinity & common, after.affinity & common
        changes = altered("affinity-changed", "affinity of this process: CPUs", str(mine), str(yours))
    # Without a cgroup tree to look at, no limit means nothing.
    if before.cgroup_version is not None and after.cgroup_version is not None:
        changes += altered("cgroup-version-changed", "cgroup version", before.cgroup_version, after.cgroup_version)
        changes += _cgroup_changes(before, after, common)
    return changes


def _cgroup_changes(before: Limits, after: Limits, common: CpuSet) -> list[Change]:
    cpus = tuple(_binding_cpus(limits, common) for limits in (before, after))
    quotas = (before.cpu_quota, after.cpu_quota)
    sizes = (before.memory_bytes, after.memory_bytes)
    return [
        *_limit_change("cpu-limit-changed", "CPUs this process may use:", cpus, tuple(map(_or_all, cpus))),
        *_limit_change("cpu-quota-changed", "CPU quota of this process", quotas, tuple(map(_or_none, quotas))),
        *_limit_change(
            "memory-limit-changed",
            "memory limit of this process",
            sizes,
            tuple("none" if size is None else format_bytes(size) for size in sizes),
        ),
    ]


def _binding_cpus(limits: Limits, common: CpuSet) -> str | None:
    return None if limits.cpus is None or common <= limits.cpus else str(limits.cpus & common)


def _limit_change(code: str, subject: str, values: tuple[object, ...], words: tuple[str, ...]) -> list[Change]:
    (old, new), (said_old, said_new) = values, words
    if old == new:
        return []
    message = f"{subject} {said_old} -> {said_new}"
    return [Change(code=code, effect=CHANGED, message=message, detail={"old": old, "new": new})]


def _or_all(cpus: str | None) -> str:
    return "all" if cpus is None else cpus or "none"


def _or_none(quota: float | None) -> str:
    return "none" if quota is None else f"{quota:g} CPUs"


def warning_changes(old: Host, new: Host) -> list[Change]:
    """Tell which warnings the reader gives now and did not before, by code, and the other way round."""
    before = {warning.code: warning.message for warning in old.warnings if warning.code not in _MOMENTARY}
    after = {warning.code: warning.message for warning in new.warnings if warning.code not in _MOMENTARY}
    return [
        Change(code=code, effect=CHANGED, message=f"{says} {name}: {texts[name]}", detail={"warning": name})
        for code, says, texts, others in (
            ("warning-raised", "the reader now warns of", after, before),
            ("warning-cleared", "the reader no longer warns of", before, after),
        )
        for name in sorted(texts)
        if name not in others
    ]
