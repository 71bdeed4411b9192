# SPDX-License-Identifier: Apache-2.0
"""``kern.sched.topology_spec``: the CPUs as FreeBSD's scheduler groups them, outer groups around inner ones.

    <groups>
     <group level="1" cache-level="3">
      <cpu count="4" mask="f,0,0,0">0, 1, 2, 3</cpu>
      <children>
       <group level="2" cache-level="2">
        <cpu count="2" mask="3,0,0,0">0, 1</cpu>
        <flags><flag name="THREAD">THREAD group</flag><flag name="SMT">SMT group</flag></flags>
       </group>
      ...

Source: smp(4); sys/kern/sched_ule.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree

from os_capability.cpuset import CpuSet
from os_capability.errors import InvalidCpuSet, UnparsableText
from os_capability.model import Cache

__all__ = ["CpuGroup", "caches_of", "cores_of", "parse_topology"]

_NAME = "kern.sched.topology_spec"
_MOST_CHARACTERS = 8 << 20
_OF_THREADS = frozenset({"HTT", "SMT", "THREAD"})


class CpuGroup(NamedTuple):
    """CPUs that are close: `cache_level` is that of the cache they share, 0 for none."""

    cpus: CpuSet
    cache_level: int
    flags: frozenset[str]


def parse_topology(text: str) -> list[CpuGroup]:
    """Give the groups, an outer one before those inside it.

    Raises:
        UnparsableText: it is no such XML, or a group does not hold as many CPUs as it says.
    """
    # The kernel writes no document type; without one there are no entities that could grow or reach for files.
    if "<!" in text or len(text) > _MOST_CHARACTERS:
        raise UnparsableText(_NAME, 1, text[:80], "not what a kernel writes")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314
    except ElementTree.ParseError as error:
        raise UnparsableText(_NAME, error.position[0], _line(text, error.position[0]), "not XML") from None
    groups = [_group(element) for element in root.iter("group")]
    if not groups:
        raise UnparsableText(_NAME, 1, _line(text, 1), "no group of CPUs")
    return groups


def _line(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number - 1] if number <= len(lines) else ""


def _group(element: ElementTree.Element) -> CpuGroup:
    cpu = element.find("cpu")
    listed = "" if cpu is None or cpu.text is None else cpu.text.strip()
    level = element.get("cache-level", "0")
    try:
        cpus = CpuSet.parse_list(listed)
    except InvalidCpuSet as error:
        raise UnparsableText(_NAME, 1, listed, error.reason) from None
    if not cpus or cpu is None or cpu.get("count") != str(len(cpus)):
        raise UnparsableText(_NAME, 1, listed, "not as many CPUs as the group says")
    return CpuGroup(
        cpus=cpus,
        cache_level=int(level) if level in ("1", "2", "3", "4") else 0,
        flags=frozenset(flag.get("name", "") for flag in element.findall("flags/flag")),
    )


def cores_of(groups: Sequence[CpuGroup]) -> dict[int, CpuSet]:
    """Give the CPUs of each CPU's core; a CPU in no group of threads is a core by itself."""
    cores = {cpu: CpuSet([cpu]) for cpu in groups[0].cpus}
    for group in groups:
        # A group inside another comes later, and knows better.
        if group.flags & _OF_THREADS:
            cores.update(dict.fromkeys(group.cpus, group.cpus))
    return cores


def caches_of(groups: Sequence[CpuGroup]) -> tuple[Cache, ...] | None:
    """Give the caches that groups share, which are those of level 2 and up; the kernel tells no sizes."""
    caches: list[Cache] = []
    for group in groups:
        known = any(cache.level == group.cache_level and group.cpus <= cache.shared_cpus for cache in caches)
        if group.cache_level >= 2 and not known:
            caches.append(Cache(level=group.cache_level, type="Unified", size_bytes=None, shared_cpus=group.cpus))
    return tuple(sorted(caches, key=lambda cache: (cache.level, cache.shared_cpus.first()))) or None
