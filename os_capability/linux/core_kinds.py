# SPDX-License-Identifier: Apache-2.0
"""The kinds of cores of a hybrid machine: a kind is a design of core, never a clock rate.

Firmware ranks equal cores a few percent apart (Grace, AMD's preferred cores), and one design is built at several clock
rates: neither makes a machine hybrid.

Source: Documentation/admin-guide/perf/intel-hybrid.rst, Documentation/ABI/testing/sysfs-devices-system-cpu
(``cpu_capacity``, ``midr_el1``).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from os_capability.cpuset import CpuSet
from os_capability.model import Cache

__all__ = ["Kind", "by_capacity", "by_first_caches", "by_part", "by_pmu"]

_Key = TypeVar("_Key", bound=Hashable)


class Kind(NamedTuple):
    """One kind's name and its online CPUs."""

    name: str
    cpus: CpuSet


def by_pmu(members: Mapping[str, CpuSet | None], online: CpuSet) -> list[Kind]:
    """Give the kinds that Intel's performance monitoring units name, by name in the order of their strength."""
    kinds = [Kind(name, cpus & online) for name, cpus in members.items() if cpus]
    return _several(kind for kind in kinds if kind.cpus)


def by_part(models: Mapping[int, str], capacities: Mapping[str, int]) -> list[Kind]:
    """Give the kinds by each CPU's model, the one with the highest capacity first, then by their lowest CPU.

    Args:
        models: every online CPU's core design by name.
        capacities: the capacity of each design, as far as it is known.
    """
    kinds = [Kind(name, cpus) for name, cpus in _grouped(models).items()]
    return _several(sorted(kinds, key=lambda kind: (-capacities.get(kind.name, 0), kind.cpus.first())))


def by_capacity(capacities: Mapping[int, int]) -> list[Kind]:
    """Give the kinds ``capacity-N`` by gaps of more than a tenth between the capacities of all online CPUs.

    For machines that do not name their core designs (RISC-V). N is the highest capacity of the kind.
    """
    kinds: list[Kind] = []
    weakest = 0
    groups = _grouped(capacities)
    for capacity in sorted(groups, reverse=True):
        if kinds and capacity * 10 >= weakest * 9:
            kinds[-1] = Kind(kinds[-1].name, kinds[-1].cpus | groups[capacity])
        else:
            kinds.append(Kind(f"capacity-{capacity}", groups[capacity]))
        weakest = capacity
    return _several(kinds)


def by_first_caches(caches: Iterable[Cache], online: CpuSet) -> list[CpuSet]:
    """Give the two groups of CPUs whose first-level caches differ in size, the one with the lowest CPU first.

    The sizes of both are part of a core's design, so two designs are there, and Intel's machines have no more. None
    where all are alike or some are not known.
    """
    first = [cache for cache in caches if cache.level == 1]
    if len({(cache.type, cache.size_bytes) for cache in first}) <= 2:
        return []
    sizes: dict[int, tuple[tuple[str, int | None], ...]] = {}
    for cache in first:
        for cpu in cache.shared_cpus:
            sizes[cpu] = (*sizes.get(cpu, ()), (cache.type, cache.size_bytes))
    groups = _grouped({cpu: sizes.get(cpu, ()) for cpu in online})
    whole = all(len(group) == 2 and None not in dict(group).values() for group in groups)
    return sorted(groups.values(), key=CpuSet.first) if whole and len(groups) == 2 else []


def _grouped(keys: Mapping[int, _Key]) -> dict[_Key, CpuSet]:
    members: dict[_Key, list[int]] = {}
    for cpu, key in keys.items():
        members.setdefault(key, []).append(cpu)
    return {key: CpuSet(cpus) for key, cpus in members.items()}


def _several(kinds: Iterable[Kind]) -> list[Kind]:
    """Give the kinds, none where there is only one."""
    found = list(kinds)
    return found if len(found) > 1 else []
