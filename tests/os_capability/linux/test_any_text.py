# SPDX-License-Identifier: Apache-2.0
"""Any text into any parser gives a value or one of our errors, never another exception."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from os_capability import CpuSet, number
from os_capability.errors import OsCapabilityError
from os_capability.linux import (
    arm,
    cgroup,
    container,
    cpuinfo,
    hugepages,
    lscpu,
    meminfo,
    memory_kind,
    mountinfo,
    node,
    pci,
    system,
    topology,
    virtualization,
)

PIECES = [
    "MemTotal:",
    "MemAvailable:",
    "HugePages_Total:",
    "Node 0 ",
    " kB",
    "processor\t: ",
    "processor 0: ",
    "CPU3: online",
    "physical id : ",
    "core id : ",
    "CPU implementer : 0x",
    "flags : ",
    "btime ",
    "Cpus_allowed_list:\t",
    "PRETTY_NAME=",
    "hugepages-",
    "PCI_ID=",
    "PCI_CLASS=",
    "8086:",
    "Node: ",
    "0::/",
    "3:cpu,cpuacct:/",
    " / /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
    "30 23 0:26",
    "max ",
    "0,0,0,,,0,Y",
    "-",
    ",",
    ":",
    "\n",
    "\n\n",
    "\0",
    "9" * 30,
    "0",
    "17",
    "0x",
    "ff",
    "٣",
    "²",
    " ",
]
# Pure noise never gets past the first check of a parser; kernel words in a wrong order do.
TEXT = st.one_of(
    st.text(max_size=200),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=40).map("".join),
)

PARSERS: dict[str, Callable[[str], object]] = {
    "CpuSet.parse_list": CpuSet.parse_list,
    "CpuSet.parse_mask": CpuSet.parse_mask,
    "available_estimate": lambda text: meminfo.available_estimate(meminfo.parse_meminfo(text, "meminfo"), 5),
    "default_pool": lambda text: hugepages.default_pool(meminfo.parse_meminfo(text, "meminfo")),
    "parse_pool_size": hugepages.parse_pool_size,
    "numbered": lambda text: number.numbered(text.split("\n"), "node"),
    "parse_distances": lambda text: node.parse_distances(text, [0, 2]),
    "parse_identity": lambda text: cpuinfo.parse_identity(text, "cpuinfo"),
    "parse_processors": lambda text: cpuinfo.parse_processors(text, "cpuinfo"),
    "parse_parts": arm.parse_parts,
    "parse_midr": lambda text: arm.parse_midr(text, "midr_el1"),
    "arm.model": lambda text: (arm.vendor(text), arm.model(text, text)),
    "dax_medium": memory_kind.dax_medium,
    "parse_gpu_node": memory_kind.parse_gpu_node,
    "parse_number": lambda text: (memory_kind.parse_number(text), memory_kind.parse_number(text, 16)),
    "parse_uevent": lambda text: pci.parse_uevent(text, "uevent"),
    "parse_hexadecimal": lambda text: pci.kind_of_class(pci.parse_hexadecimal(text, "class", digits=6)),
    "parse_numa_node": lambda text: pci.parse_numa_node(text, "numa_node"),
    "is_address": lambda text: (pci.is_address(text), pci.parse_physical_function(text), pci.parse_iommu_group(text)),
    "parse_lscpu": lambda text: lscpu.parse_lscpu(text, "lscpu"),
    "parse_summary": lscpu.parse_summary,
    "parse_id": topology.parse_id,
    "parse_mounts": lambda text: [list(cgroup.levels(mount, text)) for mount in cgroup.parse_mounts(text)],
    "parse_mountinfo": lambda text: list(mountinfo.parse_mountinfo(text)),
    "parse_membership": cgroup.parse_membership,
    "parse_limit": lambda text: cgroup.parse_limit(text, "memory.max"),
    "parse_quota_v1": lambda text: cgroup.parse_quota_v1(text, text, "cpu.cfs_quota_us"),
    "parse_quota_v2": lambda text: cgroup.parse_quota_v2(text, "cpu.max"),
    "parse_name": lambda text: system.parse_name(text, "hostname"),
    "parse_os_release": lambda text: system.parse_os_release(text, "os-release"),
    "parse_given_name": lambda text: system.parse_given_name(text, "machine-id"),
    "parse_boot_time": lambda text: system.parse_boot_time(text, "stat"),
    "parse_uptime": lambda text: system.parse_uptime(text, "uptime"),
    "parse_loadavg": lambda text: system.parse_loadavg(text, "loadavg"),
    "parse_affinity": system.parse_affinity,
    "container_view": lambda text: container.container_view(
        managers={}, init_cgroup=None, mountinfo=text, pid_namespace=text, kernel=text, marks=(text,)
    ),
    "hypervisor": lambda text: virtualization.hypervisor(
        hypervisor_type=text,
        clocksources=text,
        dmi=text,
        sysinfo=text,
        device_tree=text,
        power_hypervisor=None,
        flags=text.split(),
    ),
    "is_control_domain": lambda text: virtualization.is_control_domain(text, text),
}


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
@settings(max_examples=60, derandomize=True, deadline=None)
@given(text=TEXT)
def test_a_value_or_one_of_our_errors(parser: Callable[[str], object], text: str) -> None:
    try:
        parser(text)
    except OsCapabilityError as error:
        assert "\n" not in str(error)
