# SPDX-License-Identifier: Apache-2.0
"""Prometheus's text format, for a scrape or for node_exporter's textfile collector: a machine's numbers, or any others.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ and https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from os_capability.insight.vulnerability import is_open
from os_capability.model import Cpu, Host, Limits, Memory, NumaTopology, PciDevice

__all__ = ["Family", "Sample", "prometheus_text", "render_prometheus"]

_PREFIX = "os_capability_"


class Sample(NamedTuple):
    """A value, ``None`` where it is not known, and its labels; those that are ``None`` or empty are left out.

    Attributes:
        suffix: what a sample of a histogram has after the family's name: ``_bucket``, ``_sum`` or ``_count``.
    """

    value: float | None
    labels: Mapping[str, object] = {}
    suffix: str = ""


class Family(NamedTuple):
    """The samples of one name.

    Attributes:
        name: the whole of it, with prefix and unit; that of a counter ends in ``_total``.
        meaning: one sentence for a person.
        type: ``gauge``, ``counter`` or ``histogram``.
    """

    name: str
    meaning: str
    samples: Iterable[Sample]
    type: str = "gauge"


def render_prometheus(host: Host) -> str:
    """Give every number of the machine as a gauge: bytes and seconds, one series a fact, none for a single CPU.

    What is not known has no series. The text ends in a line feed, as a file for the textfile collector must.
    """
    return prometheus_text(family._replace(name=_PREFIX + family.name) for family in _families(host))


def prometheus_text(families: Iterable[Family]) -> str:
    """Write families in the text format; one without a known value is left out.

    Each family comes once: to Prometheus a second one of the same name is an error of the whole scrape.
    """
    return "".join(_lines(families))


def _families(host: Host) -> Iterator[Family]:
    yield from _system(host)
    yield from _cpu(host.cpu)
    yield from _memory(host.memory)
    yield from _nodes(host.numa)
    yield from _limits(host.limits)
    yield from _pci(host.pci)
    codes = Counter(warning.code for warning in host.warnings)
    yield Family(
        "warnings",
        "What is wrong or doubtful about these facts, by code.",
        [Sample(number, {"code": code}) for code, number in sorted(codes.items())],
    )


def _one(name: str, meaning: str, value: float | None) -> Family:
    return Family(name, meaning, (Sample(value),))


def _system(host: Host) -> Iterator[Family]:
    system = host.system
    yield Family(
        "system_info",
        "The operating system and where it runs.",
        [
            Sample(
                1,
                {
                    "hostname": host.hostname,
                    "os_type": system.os_type,
                    "os": system.os,
                    "kernel": system.kernel,
                    "architecture": system.architecture,
                    "virtualization": system.virtualization,
                    "view": system.view,
                    "container": system.container,
                },
            )
        ],
    )
    yield _one("collected_timestamp_seconds", "When these facts were read.", int(host.collected_at.timestamp()))
    booted = system.boot_time
    yield _one("boot_time_seconds", "When the kernel started.", None if booted is None else int(booted.timestamp()))


def _cpu(cpu: Cpu) -> Iterator[Family]:
    named = {"vendor": cpu.vendor, "model": cpu.model, "family": cpu.family, "microcode": cpu.microcode}
    yield Family("cpu_info", "What the CPUs are.", [Sample(1, named)] if any(named.values()) else [])
    sets = ("possible", "present", "online", "offline", "isolated", "nohz_full")
    yield Family(
        "cpus",
        "Logical CPUs by the kernel's sets, which overlap.",
        [Sample(_size(getattr(cpu, name)), {"state": name}) for name in sets],
    )
    yield _one("cpu_sockets", "Sockets with an online CPU.", cpu.sockets)
    yield _one("cpu_cores", "Cores with an online CPU.", cpu.cores)
    yield _one("smt_active", "1 where a core runs several threads.", cpu.smt.active)
    yield Family(
        "cpu_kind_cpus",
        "Online CPUs of each kind of core, on hybrid machines.",
        [Sample(len(kind.cpus), {"kind": kind.name}) for kind in cpu.kinds],
    )
    yield from _caches(cpu)
    yield Family(
        "cpu_vulnerability_info",
        "What the kernel says of each known vulnerability of the CPU.",
        [
            Sample(1, {"vulnerability": name, "state": _state(text), "detail": text})
            for name, text in sorted((cpu.vulnerabilities or {}).items())
        ],
    )


def _caches(cpu: Cpu) -> Iterator[Family]:
    sizes: dict[tuple[int, str], list[int | None]] = {}
    for cache in cpu.caches or ():
        sizes.setdefault((cache.level, cache.type), []).append(cache.size_bytes)
    kinds = [({"level": level, "type": kind.lower()}, found) for (level, kind), found in sorted(sizes.items())]
    yield Family("cpu_caches", "Physical caches.", [Sample(len(found), labels) for labels, found in kinds])
    yield Family(
        "cpu_caches_bytes",
        "Size of all caches of a kind together.",
        [Sample(_sum(found), labels) for labels, found in kinds],
    )


_STATES = ("not affected", "mitigation", "vulnerable", "unknown")


def _state(text: str) -> str:
    """Give the first of the kernel's words: ``KVM: Mitigation: VMX disabled``, ``Processor vulnerable``.

    What is open to guests alone is vulnerable.
    """
    if is_open(text):
        return "vulnerable"
    at = {text.lower().find(state): state for state in _STATES}
    at.pop(-1, None)
    return at[min(at)] if at else "unknown"


_MEMORY = {
    "total": "Memory of the machine.",
    "free": "Memory that nobody uses.",
    "available": "Memory that can be had without swapping.",
    "buffers": "Buffers of block devices.",
    "cached": "Page cache.",
    "slab_reclaimable": "Kernel memory that can be reclaimed.",
    "shmem": "Shared memory and tmpfs.",
    "swap_total": "Swap space.",
    "swap_free": "Swap space that nobody uses.",
}


def _memory(memory: Memory) -> Iterator[Family]:
    for name, meaning in _MEMORY.items():
        yield _one(f"memory_{name}_bytes", meaning, getattr(memory, f"{name}_bytes"))
    estimated = memory.available_estimated if memory.available_bytes is not None else None
    yield _one("memory_available_estimated", "1 where the kernel does not give the available memory.", estimated)
    pools = [(pool, {"page_size_bytes": pool.size_bytes}) for pool in memory.hugepages or ()]
    for name, counted, meaning in (
        ("hugepages", "total", "Huge pages in the pool."),
        ("hugepages_free", "free", "Huge pages that nobody uses."),
        ("hugepages_reserved", "reserved", "Free huge pages that are promised."),
        ("hugepages_surplus", "surplus", "Huge pages beyond the pool's set size."),
    ):
        yield Family(name, meaning, [Sample(getattr(pool, counted), labels) for pool, labels in pools])


def _nodes(numa: NumaTopology) -> Iterator[Family]:
    yield _one("numa_nodes", "NUMA nodes.", None if numa.synthetic else len(numa.nodes))
    yield Family(
        "node_cpus", "Online CPUs of a node.", [Sample(len(node.cpus), {"node": node.id}) for node in numa.nodes]
    )
    memory = [(node, {"node": node.id, "memory_kind": node.memory_kind}) for node in numa.nodes]
    yield Family(
        "node_memory_total_bytes", "Memory of a node.", [Sample(node.memory_total_bytes, at) for node, at in memory]
    )
    yield Family(
        "node_memory_free_bytes",
        "Memory of a node that nobody uses.",
        [Sample(node.memory_free_bytes, at) for node, at in memory],
    )
    pools = [
        (pool, {"node": node.id, "page_size_bytes": pool.size_bytes})
        for node in numa.nodes
        for pool in node.hugepages or ()
    ]
    for name, counted, meaning in (
        ("node_hugepages", "total", "Huge pages in a node's pool."),
        ("node_hugepages_free", "free", "Huge pages of a node that nobody uses."),
        ("node_hugepages_surplus", "surplus", "Huge pages of a node beyond its pool's set size."),
    ):
        yield Family(name, meaning, [Sample(getattr(pool, counted), labels) for pool, labels in pools])
    yield Family(
        "node_distance",
        "Distance from a node to a node in the firmware's units; 10 is local.",
        [
            Sample(distance, {"node": node.id, "to_node": other})
            for node in numa.nodes
            for other, distance in sorted((node.distances or {}).items())
        ],
    )


def _limits(limits: Limits) -> Iterator[Family]:
    yield _one("limit_cpuset_cpus", "CPUs that the reading process's cgroups allow.", _size(limits.cpus))
    yield _one("limit_affinity_cpus", "CPUs that the reading process may be scheduled on.", _size(limits.affinity))
    yield _one("limit_quota_cpus", "CPU time that the reading process's cgroups allow, in CPUs.", limits.cpu_quota)
    yield _one("limit_memory_bytes", "Memory that the reading process's cgroups allow.", limits.memory_bytes)


def _pci(devices: tuple[PciDevice, ...] | None) -> Iterator[Family]:
    counts = Counter((device.kind or "other", device.node) for device in devices or ())
    yield Family(
        "pci_devices",
        "PCI functions by what they are and the node they are attached to.",
        [Sample(counts[key], {"kind": key[0], "node": key[1]}) for key in sorted(counts, key=_none_first)],
    )
    for name, counted, meaning in (
        ("sriov_virtual_functions", "sriov_num_vfs", "Virtual functions that there are."),
        ("sriov_virtual_functions_limit", "sriov_total_vfs", "Virtual functions that there can be."),
    ):
        functions: dict[tuple[str, int | None], list[int | None]] = {}
        for device in devices or ():
            if device.sriov == "pf":
                functions.setdefault((device.kind or "other", device.node), []).append(getattr(device, counted))
        keys = sorted(functions, key=_none_first)
        yield Family(name, meaning, [Sample(_sum(functions[key]), {"kind": key[0], "node": key[1]}) for key in keys])


def _none_first(key: tuple[str, int | None]) -> tuple[str, int]:
    kind, node = key
    return kind, -1 if node is None else node


def _size(cpus: Iterable[int] | None) -> int | None:
    return None if cpus is None else sum(1 for _ in cpus)


def _sum(numbers: Iterable[int | None]) -> int | None:
    """Give the sum, ``None`` where one of the numbers is not known."""
    known = list(numbers)
    return None if None in known else sum(number for number in known if number is not None)


def _lines(families: Iterable[Family]) -> Iterator[str]:
    for family in families:
        samples = [sample for sample in family.samples if sample.value is not None]
        if samples:
            yield f"# HELP {family.name} {_one_line(family.meaning)}\n# TYPE {family.name} {family.type}\n"
            for sample in samples:
                yield f"{family.name}{sample.suffix}{_labels(sample.labels)} {_number(sample.value)}\n"


def _labels(labels: Mapping[str, object]) -> str:
    # To Prometheus a label without a value is no label.
    pairs = [f'{name}="{_escaped(str(value))}"' for name, value in labels.items() if value not in (None, "")]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _escaped(text: str) -> str:
    return _one_line(text).replace('"', r"\"")


def _one_line(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _number(value: float | None) -> str:
    return repr(int(value) if isinstance(value, bool) else value)
