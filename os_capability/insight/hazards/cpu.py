# SPDX-License-Identifier: Apache-2.0
"""What may be wrong with the CPUs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from os_capability.cpuset import CpuSet
from os_capability.insight.hazards.rule import INFO, WARNING, Rule
from os_capability.insight.vulnerability import has_gap, is_open
from os_capability.model import Cpu, Host
from os_capability.wording import counted, cpus_text

__all__ = ["RULES"]


def _offline(host: Host) -> Iterator[str]:
    cpu = host.cpu
    if cpu.offline and not _smt_is_switched_off(cpu):
        yield f"{cpus_text(cpu.offline)} of {cpu.present} cannot run anything"


def _smt_off(host: Host) -> Iterator[str]:
    cpu = host.cpu
    if _smt_is_switched_off(cpu):
        yield f"SMT control is {cpu.smt.control}: {cpus_text(cpu.offline)} of {cpu.present} are the idle threads"


def _smt_is_switched_off(cpu: Cpu) -> bool:
    """Tell whether the offline CPUs are just the other threads of every core: that is meant, and even."""
    if cpu.smt.control not in ("off", "forceoff") or not cpu.offline or not cpu.threads:
        return False
    # On a hybrid machine one kind of core alone may have had other threads.
    groups = {cpu.threads, *(len(kind.cpus) for kind in cpu.kinds if kind.cpus)}
    return cpu.cores == cpu.threads and any(len(cpu.offline) % cores == 0 for cores in groups)


def _partial_smt(host: Host) -> Iterator[str]:
    for kind, cores in _cores_by_kind(host.cpu).items():
        usual = max(map(len, cores))
        partial = [core for core in cores if len(core) < usual]
        # A hybrid machine whose kernel names no kinds has many cores of one thread, and all of its CPUs online.
        if not partial or not (host.cpu.offline or kind or len(partial) * 4 < len(cores)):
            continue
        cpus = CpuSet(cpu for core in partial for cpu in core)
        cores_text = counted(len(partial), f"{kind} core" if kind else "core")
        yield f"{cores_text} ({cpus_text(cpus)}) with fewer threads online than the {usual} of the others"


def _cores_by_kind(cpu: Cpu) -> dict[str | None, list[list[int]]]:
    """Give the online CPUs of each core, under the core's kind; empty where cores are not known."""
    cores: dict[int, list[int]] = {}
    kind_of: dict[int, str | None] = {}
    for processor in cpu.processors:
        if processor.core is not None and processor.id in cpu.online:
            cores.setdefault(processor.core, []).append(processor.id)
            kind_of[processor.core] = processor.kind
    by_kind: dict[str | None, list[list[int]]] = {}
    for core, threads in cores.items():
        by_kind.setdefault(kind_of[core], []).append(threads)
    return by_kind


def _unknown_cores(host: Host) -> Iterator[str]:
    if host.cpu.cores is None and host.cpu.threads > 1:
        yield f"which of the {host.cpu.threads} CPUs share a core is not known"


def _hybrid(host: Host) -> Iterator[str]:
    for kind in host.cpu.kinds:
        yield f"{kind.name} cores: {cpus_text(kind.cpus)}"


def _isolated(host: Host) -> Iterator[str]:
    isolated = (host.cpu.isolated or CpuSet()) & host.cpu.online
    if isolated:
        yield (
            f"{cpus_text(isolated)}: {len(isolated)} of {counted(host.cpu.threads, 'online CPU')}"
            " get no work but what is pinned to them"
        )


def _tickless(host: Host) -> Iterator[str]:
    isolated, tickless = host.cpu.isolated, host.cpu.nohz_full
    if isolated is None or not tickless:
        return
    if shared := tickless - isolated:
        yield f"{cpus_text(shared)} in nohz_full, not isolated: the scheduler still puts any work there"
    if ticking := isolated - tickless:
        yield f"{cpus_text(ticking)} isolated, not in nohz_full: the timer still interrupts them"


def _uneven_sockets(host: Host) -> Iterator[str]:
    cpu = host.cpu
    # Hypervisors and the firmware of s390 hand out cores as they like, clusters of unlike cores are no sockets, and
    # CPUs that are offline are a finding already.
    if cpu.offline or cpu.kinds or cpu.vendor == "IBM/S390" or host.system.virtualization:
        return
    cores_of: dict[int, set[int]] = {}
    for processor in cpu.processors:
        if processor.core is not None and processor.socket is not None:
            cores_of.setdefault(processor.socket, set()).add(processor.core)
    if len({len(cores) for cores in cores_of.values()}) > 1:
        yield ", ".join(f"socket {socket} has {counted(len(cores_of[socket]), 'core')}" for socket in sorted(cores_of))


def _vulnerable(host: Host) -> Iterator[str]:
    for name, text in sorted((host.cpu.vulnerabilities or {}).items()):
        if is_open(text):
            yield f"{name}: {text}"


def _incomplete_mitigations(host: Host) -> Iterator[str]:
    for name, text in sorted((host.cpu.vulnerabilities or {}).items()):
        if has_gap(text):
            yield f"{name}: {text}"


def _uneven_nodes(host: Host) -> Iterator[str]:
    counts = {node.id: len(node.cpus) for node in host.numa.nodes if node.cpus}
    if len(set(counts.values())) < 2:
        return
    usual, _ = Counter(counts.values()).most_common(1)[0]
    if sum(count != usual for count in counts.values()) * 2 < len(counts):
        for node, count in counts.items():
            if count != usual:
                yield f"node {node} has {counted(count, 'online CPU')}, the others {usual}"
    else:
        yield ", ".join(f"node {node} has {counted(count, 'online CPU')}" for node, count in counts.items())


RULES = (
    Rule(
        code="offline-cpus",
        severity=WARNING,
        summary="CPUs are switched off",
        advice="Bring them back: echo 1 > /sys/devices/system/cpu/cpuN/online, or take maxcpus= and nosmt off the"
        " kernel command line. If they went by themselves, look for machine check errors in the kernel log.",
        evidence=_offline,
    ),
    Rule(
        code="smt-partial",
        severity=WARNING,
        summary="Some cores run fewer threads than their neighbours",
        advice="Switch SMT on or off for all cores alike: echo on (or off) > /sys/devices/system/cpu/smt/control."
        " Until then place by cores, not by CPU counts.",
        evidence=_partial_smt,
    ),
    Rule(
        code="uneven-node-cpus",
        severity=WARNING,
        summary="NUMA nodes have different numbers of CPUs",
        advice="Bring offline CPUs back, or compare the processors and the cores enabled in the firmware of each"
        " socket; in a virtual machine correct its NUMA topology. A workload sized for one node may not fit on every"
        " node.",
        evidence=_uneven_nodes,
    ),
    Rule(
        code="uneven-socket-cores",
        severity=WARNING,
        summary="Sockets have different numbers of cores",
        advice="Compare the processors and the number of active cores in the firmware settings of each socket.",
        evidence=_uneven_sockets,
    ),
    Rule(
        code="isolated-cpus",
        severity=WARNING,
        summary="CPUs are isolated: only pinned work runs there, and a count of CPUs overstates what the rest can have",
        advice="Pin workloads to them (a cpuset, taskset -c), or take isolcpus= off the kernel command line. If that"
        " is how the machine is meant to be: --accept isolated-cpus.",
        evidence=_isolated,
    ),
    Rule(
        code="nohz-full-mismatch",
        severity=WARNING,
        summary="The isolated and the tickless CPUs are not the same",
        advice="Give isolcpus= and nohz_full= the same list on the kernel command line.",
        evidence=_tickless,
    ),
    Rule(
        code="vulnerable-cpu",
        severity=WARNING,
        summary="The kernel says that a CPU vulnerability is open",
        advice="Update microcode, firmware and kernel, and take mitigations=off and its like off the kernel command"
        " line; in a virtual machine the hypervisor must update and pass on the CPU features. Until then place no"
        " workloads of strangers side by side.",
        evidence=_vulnerable,
    ),
    Rule(
        code="mitigation-incomplete",
        severity=INFO,
        summary="The mitigation of a CPU vulnerability leaves a part open",
        advice="Where strangers run side by side: with SMT vulnerable give each of them whole cores, or switch SMT off;"
        " for the other parts update microcode and kernel.",
        evidence=_incomplete_mitigations,
    ),
    Rule(
        code="smt-off",
        severity=INFO,
        summary="SMT is switched off for all cores",
        advice="If the threads are wanted: echo on > /sys/devices/system/cpu/smt/control, without nosmt on the kernel"
        " command line.",
        evidence=_smt_off,
    ),
    Rule(
        code="cores-unknown",
        severity=INFO,
        summary="The machine does not tell which CPUs share a core",
        advice="Whole cores cannot be given to a workload: pin with care, or give the virtual machine a CPU topology.",
        evidence=_unknown_cores,
    ),
    Rule(
        code="hybrid-cores",
        severity=INFO,
        summary="The cores are of different kinds",
        advice="Pin each workload to CPUs of one kind; a count of CPUs does not tell how fast they are.",
        evidence=_hybrid,
    ),
)
