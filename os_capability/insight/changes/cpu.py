# SPDX-License-Identifier: Apache-2.0
"""What changed about the CPUs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from os_capability.cpuset import CpuSet
from os_capability.insight.changes.change import CHANGED, GAINED, LOST, Change, altered
from os_capability.insight.vulnerability import is_open
from os_capability.model import Cache, Cpu, Processor
from os_capability.size import format_bytes
from os_capability.wording import cpus_text, listed

__all__ = ["cache_changes", "cpu_changes", "feature_changes", "model_changes", "placement_changes"]

# A renumbered machine is one line, not one for each core.
_MOST_MOVES = 4


def model_changes(old: Cpu, new: Cpu) -> list[Change]:
    """Tell what processor it is now."""
    return [
        *altered("cpu-vendor-changed", "CPU vendor", old.vendor, new.vendor),
        *altered("cpu-model-changed", "CPU model", old.model, new.model),
        *altered("cpu-family-changed", "CPU family", old.family, new.family),
        *altered("microcode-changed", "microcode", old.microcode, new.microcode),
        *altered("sockets-changed", "sockets", old.sockets, new.sockets),
        *_smt_changes(old, new),
    ]


def _smt_changes(old: Cpu, new: Cpu) -> list[Change]:
    return altered("smt-control-changed", "SMT", old.smt.control, new.smt.control) or altered(
        "smt-active-changed", "SMT", _smt_use(old), _smt_use(new)
    )


def _smt_use(cpu: Cpu) -> str | None:
    return {None: None, True: "in use", False: "not in use"}[cpu.smt.active]


def cpu_changes(old: Cpu, new: Cpu, *, told: CpuSet) -> list[Change]:
    """Tell which CPUs came and went, but for those `told` already with their node, and the sets of special CPUs."""
    return [
        *_moved("cpus-added", GAINED, "added", new.present - old.present - told),
        *_moved("cpus-removed", LOST, "removed", old.present - new.present - told),
        *_switched("cpus-online", GAINED, "came online", (new.online - old.online) & old.present - told),
        *_switched("cpus-offline", LOST, "went offline", (old.online - new.online) & new.present - told),
        *_set_change("isolated-cpus-changed", "isolated CPUs", old.isolated, new.isolated),
        *_set_change("nohz-full-cpus-changed", "nohz_full CPUs", old.nohz_full, new.nohz_full),
        *_set_change("possible-cpus-changed", "possible CPUs", old.possible, new.possible),
    ]


def _moved(code: str, effect: str, verb: str, cpus: CpuSet) -> list[Change]:
    return _switched(code, effect, f"{'was' if len(cpus) == 1 else 'were'} {verb}", cpus)


def _switched(code: str, effect: str, verb: str, cpus: CpuSet) -> list[Change]:
    message = f"{cpus_text(cpus)} {verb}"
    return [Change(code=code, effect=effect, message=message, detail={"cpus": str(cpus)})] if cpus else []


def _set_change(code: str, subject: str, old: CpuSet | None, new: CpuSet | None) -> list[Change]:
    lists = (None if cpus is None else str(cpus) for cpus in (old, new))
    return altered(code, subject, *lists, words=lambda cpus: cpus or "none")


def placement_changes(old: Cpu, new: Cpu, *, with_nodes: bool) -> list[Change]:
    """Tell which CPUs, online before and now, are at another place; `with_nodes` where node numbers mean something."""
    if (old.processors, old.kinds) == (new.processors, new.kinds):
        return []
    common = old.online & new.online
    before = {processor.id: processor for processor in old.processors if processor.id in common}
    after = {processor.id: processor for processor in new.processors if processor.id in common}
    pairs = [(before[cpu], after[cpu]) for cpu in common if cpu in before and cpu in after]
    levels = ("node", "drawer", "book", "socket", "die", "cluster")
    return [
        *(change for level in levels[not with_nodes :] for change in _level_changes(level, pairs)),
        *_sibling_changes(pairs),
        *_kind_changes(old, new, common),
    ]


def _level_changes(level: str, pairs: Iterable[tuple[Processor, Processor]]) -> list[Change]:
    moves: dict[tuple[int, int], list[int]] = {}
    for before, after in pairs:
        here, there = getattr(before, level), getattr(after, level)
        if here is not None and there is not None and here != there:
            moves.setdefault((here, there), []).append(before.id)
    if len(moves) > _MOST_MOVES:
        cpus = CpuSet(cpu for moved in moves.values() for cpu in moved)
        message = f"{cpus_text(cpus)} moved to other {level}s"
        return [Change(code=f"cpu-{level}-changed", effect=CHANGED, message=message, detail={"cpus": str(cpus)})]
    return [
        Change(
            code=f"cpu-{level}-changed",
            effect=CHANGED,
            message=f"{cpus_text(CpuSet(cpus))} moved from {level} {here} to {level} {there}",
            detail={"cpus": str(CpuSet(cpus)), "old": here, "new": there},
        )
        for (here, there), cpus in moves.items()
    ]


def _sibling_changes(pairs: Iterable[tuple[Processor, Processor]]) -> list[Change]:
    """Compare who shares a core with whom: the numbers of the cores are ours, and move with every CPU that goes."""
    known = [(before, after) for before, after in pairs if before.core is not None and after.core is not None]
    old = _siblings({before.id: before.core for before, _ in known})
    new = _siblings({after.id: after.core for _, after in known})
    cpus = CpuSet(cpu for cpu, siblings in old.items() if siblings != new[cpu])
    if not cpus:
        return []
    message = f"{cpus_text(cpus)}: other CPUs share the core now"
    return [Change(code="cpu-siblings-changed", effect=CHANGED, message=message, detail={"cpus": str(cpus)})]


def _siblings(core_of: Mapping[int, int | None]) -> dict[int, tuple[int, ...]]:
    members: dict[int | None, list[int]] = {}
    for cpu, core in core_of.items():
        members.setdefault(core, []).append(cpu)
    siblings = {core: tuple(cpus) for core, cpus in members.items()}
    return {cpu: siblings[core] for cpu, core in core_of.items()}


def _kind_changes(old: Cpu, new: Cpu, common: CpuSet) -> list[Change]:
    before = {kind.name: str(kind.cpus & common) for kind in old.kinds if kind.cpus & common}
    after = {kind.name: str(kind.cpus & common) for kind in new.kinds if kind.cpus & common}
    return altered("cpu-kinds-changed", "kinds of cores:", before, after, words=_kinds_text)


def _kinds_text(kinds: Mapping[str, str]) -> str:
    return listed([f"{name} {cpus}" for name, cpus in kinds.items()], 8) or "all alike"


def cache_changes(old: Cpu, new: Cpu) -> list[Change]:
    """Tell which caches are others; while other CPUs are online only their sizes can be compared."""
    if old.caches is None or new.caches is None or old.caches == new.caches:
        return []
    by_level = [_caches_by_level(cpu.caches or ()) for cpu in (old, new)]
    changes = []
    for level in sorted(by_level[0].keys() & by_level[1].keys()):
        before, after = by_level[0][level], by_level[1][level]
        if old.online != new.online:
            before, after = _one_of_each_size(before), _one_of_each_size(after)
        if before == after:
            continue
        texts = (_caches_text(before), _caches_text(after))
        message = f"{level} caches: {texts[0]} -> {texts[1]}"
        if texts[0] == texts[1]:
            message = f"{level} caches: other CPUs share them now"
        detail = {"cache": level, "old": texts[0], "new": texts[1]}
        changes.append(Change(code="caches-changed", effect=CHANGED, message=message, detail=detail))
    return changes


def _caches_by_level(caches: Iterable[Cache]) -> dict[str, list[tuple[int, str]]]:
    """Give size and CPUs of each cache whose size is known, under ``L1 data``, ``L2`` and so on."""
    found: dict[str, list[tuple[int, str]]] = {}
    for cache in caches:
        if cache.size_bytes is not None:
            name = f"L{cache.level}" + ("" if cache.type == "Unified" else f" {cache.type.lower()}")
            found.setdefault(name, []).append((cache.size_bytes, str(cache.shared_cpus)))
    return {name: sorted(those) for name, those in found.items()}


def _one_of_each_size(caches: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    return sorted({(size, "") for size, _ in caches})


def _caches_text(caches: Iterable[tuple[int, str]]) -> str:
    counts: dict[int, int] = {}
    for size, _ in caches:
        counts[size] = counts.get(size, 0) + 1
    return " and ".join(f"{count} x {format_bytes(size)}" for size, count in counts.items())


def feature_changes(old: Cpu, new: Cpu) -> list[Change]:
    """Tell which flags came and went, and which vulnerabilities are open or closed now."""
    changes = []
    if old.flags is not None and new.flags is not None and old.flags != new.flags:
        gained = [flag for flag in dict.fromkeys(new.flags) if flag not in old.flags]
        lost = [flag for flag in dict.fromkeys(old.flags) if flag not in new.flags]
        changes = [
            Change(code=code, effect=effect, message=f"CPU flags {effect}: {listed(flags, 8)}", detail={"flags": flags})
            for code, effect, flags in (("cpu-flags-gained", GAINED, gained), ("cpu-flags-lost", LOST, lost))
            if flags
        ]
    before, after = old.vulnerabilities or {}, new.vulnerabilities or {}
    for name in sorted(before.keys() & after.keys()):
        code = _vulnerability_code(before[name], after[name])
        changes += altered(code, f"vulnerability {name}:", before[name], after[name], where={"name": name})
    return changes


def _vulnerability_code(before: str, after: str) -> str:
    if is_open(before) == is_open(after):
        return "vulnerability-changed"
    return "vulnerability-opened" if is_open(after) else "vulnerability-closed"
