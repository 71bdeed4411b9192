# SPDX-License-Identifier: Apache-2.0
"""What may be wrong around CPUs and memory: the view, the limits, the devices, and the facts themselves."""

from __future__ import annotations

from collections.abc import Iterator

from os_capability.cpuset import CpuSet
from os_capability.insight.hazards.rule import CRITICAL, WARNING, Rule
from os_capability.model import Host, PciDevice
from os_capability.size import format_bytes
from os_capability.wording import counted, cpus_text, listed

__all__ = ["RULES"]

# Warnings that have a rule of their own here, or tell of how the facts were read and not that one is wrong.
_NO_WRONG_FACT = frozenset(
    {
        "container-view",
        "cpu-sets-missing",
        "cpus-in-no-node",
        "cpus-in-several-nodes",
        "lscpu-unavailable",
        "source-missing",
        "topology-changed",
    }
)
# ASPEED and Matrox: the display of the management controller.
_CONSOLE_VENDORS = frozenset({"1a03", "102b"})


def _container(host: Host) -> Iterator[str]:
    if host.system.view == "container":
        made_by = f" made by {host.system.container}" if host.system.container else ""
        shown_by = f": {host.system.view_evidence}" if host.system.view_evidence else ""
        yield f"in a container{made_by}{shown_by}"


def _limited_cpus(host: Host) -> Iterator[str]:
    # Isolated CPUs are not in the affinity that processes start with.
    usual = host.cpu.online - (host.cpu.isolated or CpuSet())
    cpuset, affinity = host.limits.cpus, host.limits.affinity
    if cpuset is not None and (missing := usual - cpuset):
        yield f"the cpuset of its cgroup is {cpuset}: without {cpus_text(missing)}"
    if affinity is not None and affinity != cpuset and (missing := usual - affinity):
        yield f"its affinity is {affinity}: without {cpus_text(missing)}"


def _limited_quota(host: Host) -> Iterator[str]:
    quota = host.limits.cpu_quota
    if quota is not None and quota < host.cpu.threads:
        yield f"{quota:g} CPUs' worth of time, of {counted(host.cpu.threads, 'online CPU')}"


def _limited_memory(host: Host) -> Iterator[str]:
    limit, total = host.limits.memory_bytes, host.memory.total_bytes
    if limit is not None and (total is None or limit < total):
        yield f"{format_bytes(limit)}, of {format_bytes(total)}"


def _ungrouped_functions(host: Host) -> Iterator[str]:
    ungrouped = [
        device.address
        for device in host.pci or ()
        if device.iommu_group is None and (device.sriov == "vf" or (device.sriov == "pf" and device.sriov_num_vfs))
    ]
    if ungrouped:
        yield f"{counted(len(ungrouped), 'PCI function')} without IOMMU group: {listed(ungrouped)}"


def _unplaced_devices(host: Host) -> Iterator[str]:
    if sum(bool(node.cpus) for node in host.numa.nodes) < 2:
        return
    unplaced = [device for device in host.pci or () if device.node is None and _has_a_place(device, host)]
    for kind in sorted({str(device.kind) for device in unplaced}):
        addresses = [device.address for device in unplaced if device.kind == kind]
        yield f"{counted(len(addresses), f'{kind} device')} without NUMA node: {listed(addresses)}"


def _has_a_place(device: PciDevice, host: Host) -> bool:
    """Tell whether a device should name its node: not what a hypervisor emulates, nor the console of a server."""
    if host.system.virtualization is not None:
        return device.kind == "accelerator" or (device.kind == "gpu" and (device.class_id or "").startswith("0302"))
    return device.kind in ("accelerator", "gpu", "network", "nvme") and device.vendor_id not in _CONSOLE_VENDORS


def _doubtful(host: Host) -> Iterator[str]:
    codes = sorted({warning.code for warning in host.warnings} - _NO_WRONG_FACT)
    if codes:
        yield f"warnings of the reader: {listed(codes, 8)}"


RULES = (
    Rule(
        code="container-view",
        severity=CRITICAL,
        summary="These are the facts that a container is shown, not the machine's",
        advice="Ask on the host itself, or give the container the host's /proc and /sys and ask with --root.",
        evidence=_container,
    ),
    Rule(
        code="limited-cpus",
        severity=WARNING,
        summary="This process, and what it starts, may not use all CPUs",
        advice="Widen cpuset.cpus up the cgroup tree (systemd: AllowedCPUs=) and the affinity (systemd: CPUAffinity=),"
        " or ask from where the workloads will be started.",
        evidence=_limited_cpus,
    ),
    Rule(
        code="limited-cpu-quota",
        severity=WARNING,
        summary="This process, and what it starts, is throttled",
        advice="Raise cpu.max up the cgroup tree (cgroup v1: cpu.cfs_quota_us; systemd: CPUQuota=), or ask from where"
        " the workloads will be started.",
        evidence=_limited_quota,
    ),
    Rule(
        code="limited-memory",
        severity=WARNING,
        summary="This process, and what it starts, may not use all memory",
        advice="Raise memory.max up the cgroup tree (cgroup v1: memory.limit_in_bytes; systemd: MemoryMax=), or ask"
        " from where the workloads will be started.",
        evidence=_limited_memory,
    ),
    Rule(
        code="vf-without-iommu-group",
        severity=WARNING,
        summary="SR-IOV functions are not behind an IOMMU and cannot be passed to a virtual machine",
        advice="Enable the IOMMU in the firmware settings (VT-d, AMD-Vi, SMMU), boot Intel with intel_iommu=on as well,"
        " and take iommu=off and amd_iommu=off off the kernel command line.",
        evidence=_ungrouped_functions,
    ),
    Rule(
        code="pci-without-node",
        severity=WARNING,
        summary="Devices do not say which NUMA node they are near",
        advice="Update the firmware, whose ACPI tables miss _PXM, or set the node by hand: echo N >"
        " /sys/bus/pci/devices/ADDRESS/numa_node.",
        evidence=_unplaced_devices,
    ),
    Rule(
        code="doubtful-facts",
        severity=WARNING,
        summary="The reader doubts some of the facts",
        advice="See what it says, at the end of os-capability show, and in docs/warnings.md what each code means.",
        evidence=_doubtful,
    ),
)
