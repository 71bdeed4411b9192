# SPDX-License-Identifier: Apache-2.0
"""What a node's memory is made of, by what shows it: never plain RAM without CPUs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from os_capability import Host, collect, refresh
from os_capability.linux.memory_kind import (
    DaxDevice,
    NodeMemory,
    dax_medium,
    has_mcdram,
    judge,
    parse_gpu_node,
    parse_number,
    plain_bandwidth,
)

HOSTS = Path(__file__).resolve().parents[2] / "hosts"
NODE = "sys/devices/system/node"
GIB = 1 << 30


def dax(medium: str, size_bytes: int | None = 4 * GIB) -> DaxDevice:
    return DaxDevice("dax0.0", f"{medium} memory", size_bytes)


def memory(
    *,
    has_cpus: bool = False,
    gpu: str | None = None,
    dax: tuple[DaxDevice, ...] = (),
    cxl_region: str | None = None,
    read_bandwidth: int | None = None,
) -> NodeMemory:
    return NodeMemory(4 * GIB, has_cpus, gpu, dax, cxl_region, read_bandwidth)


@pytest.mark.parametrize(
    ("node", "kind", "evidence"),
    [
        pytest.param(memory(has_cpus=True), "dram", "it has CPUs", id="CPUs"),
        pytest.param(memory(), "unknown", "nothing says", id="no CPUs and no more"),
        pytest.param(memory(gpu="0009:01:00.0", read_bandwidth=900), "gpu", "0009:01:00.0", id="a GPU's"),
        pytest.param(memory(gpu="0009:01:00.0", has_cpus=True), "gpu", "0009:01:00.0", id="a GPU's, whatever CPUs"),
        pytest.param(memory(dax=(dax("CXL"),)), "cxl", "CXL memory dax0.0", id="a CXL DAX device"),
        pytest.param(memory(dax=(dax("CXL"),), read_bandwidth=900), "cxl", "CXL", id="fast CXL is CXL"),
        pytest.param(memory(cxl_region="region3"), "cxl", "region3", id="a CXL region at its addresses"),
        pytest.param(memory(dax=(dax("CXL"), dax("persistent"))), "unknown", "CXL memory dax0.0, pers", id="a mixture"),
        pytest.param(memory(dax=(dax("persistent"),), read_bandwidth=900), "unknown", "persistent", id="persistent"),
        pytest.param(memory(dax=(dax("specific-purpose"),)), "unknown", "specific-purpose", id="set apart"),
        pytest.param(memory(dax=(dax("specific-purpose"),), read_bandwidth=399), "hbm", "3 times", id="apart, fast"),
        pytest.param(memory(dax=(dax("specific-purpose"),), read_bandwidth=199), "unknown", "spec", id="not so fast"),
        pytest.param(memory(dax=(dax("DAX"),), read_bandwidth=900), "unknown", "DAX", id="some other DAX device"),
        pytest.param(memory(read_bandwidth=200), "hbm", "2 times as fast", id="twice as fast"),
        pytest.param(memory(read_bandwidth=199), "unknown", "nothing says", id="not twice as fast"),
        pytest.param(memory(read_bandwidth=10), "unknown", "nothing says", id="slower is not yet CXL"),
        pytest.param(memory(has_cpus=True, dax=(dax("CXL"),)), "cxl", "CXL", id="CPUs and CXL memory alone"),
        pytest.param(
            memory(has_cpus=True, dax=(dax("CXL", GIB),)),
            "unknown",
            "with their RAM CXL",
            id="CPUs, RAM and CXL",
        ),
        pytest.param(
            memory(has_cpus=True, dax=(dax("CXL", None),)), "unknown", "with their RAM CXL", id="of unknown size"
        ),
    ],
)
def test_the_strongest_evidence_decides(node: NodeMemory, kind: str, evidence: str) -> None:
    judged = judge(node, 100, mcdram=False)
    assert judged.kind == kind
    assert evidence in judged.evidence


def test_without_a_figure_to_compare_with_nothing_is_fast() -> None:
    assert judge(memory(read_bandwidth=900), None, mcdram=False).kind == "unknown"


def test_plain_bandwidth_is_that_of_nodes_with_nothing_but_ram() -> None:
    nodes = [
        memory(has_cpus=True, read_bandwidth=100),
        memory(has_cpus=True),
        memory(has_cpus=True, dax=(dax("CXL"),), read_bandwidth=1000),
        memory(read_bandwidth=500),
    ]
    assert plain_bandwidth(nodes) == 100
    assert plain_bandwidth(nodes[1:]) is None


@pytest.mark.parametrize(
    ("family", "number", "has_it"), [("6", 87, True), ("6", 133, True), ("11", 87, False), ("6", 85, False)]
)
def test_a_xeon_phi_has_mcdram(family: str, number: int, has_it: bool) -> None:
    assert has_mcdram("GenuineIntel", family, number) is has_it
    assert not has_mcdram("AuthenticAMD", family, number)
    assert judge(memory(), None, mcdram=True).kind == "hbm"
    assert judge(memory(has_cpus=True), None, mcdram=True).kind == "dram"


@pytest.mark.parametrize(
    ("link", "medium"),
    [
        ("../../../devices/platform/ACPI0017:00/root0/decoder0.0/region0/dax_region0/dax0.0", "CXL memory"),
        ("../../../devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0012:00/ndbus0/region1/dax1.1/dax1.4", "persistent memory"),
        ("../../../devices/platform/hmem.2/dax2.0", "specific-purpose memory"),
        ("../../../devices/elsewhere/dax2.0", "DAX memory"),
        ("", "DAX memory"),
    ],
)
def test_the_way_to_a_dax_device_tells_its_medium(link: str, medium: str) -> None:
    assert dax_medium(link) == medium


@pytest.mark.parametrize(
    ("text", "node"),
    [("Node:     1\nDevice Status:     online\n", 1), ("Node: -1\n", None), ("Status: online\n", None), ("", None)],
)
def test_a_gpu_names_its_node(text: str, node: int | None) -> None:
    assert parse_gpu_node(text) == node


@pytest.mark.parametrize(
    ("text", "base", "number"),
    [
        ("0x1080000000\n", 16, 0x1080000000),
        ("80000000\n\0", 16, 0x80000000),
        ("17\n", 10, 17),
        ("-1\n", 10, None),
        ("0x10", 10, None),
        ("1_0", 10, None),
        ("9" * 30, 10, None),
        (None, 10, None),
    ],
)
def test_numbers(text: str | None, base: int, number: int | None) -> None:
    assert parse_number(text, base) == number


class TestMachines:
    """What one file more or less makes of a whole machine."""

    @staticmethod
    def kinds(host: Host) -> dict[int, str | None]:
        return {node.id: node.memory_kind for node in host.numa.nodes}

    @pytest.fixture
    def copy_of(self, tmp_path: Path) -> Callable[[str], Path]:
        return lambda name: Path(shutil.copytree(HOSTS / name / "root", tmp_path / "machine", symlinks=True))

    def test_a_dax_device_that_is_no_memory_says_nothing_of_its_node(self, copy_of: Callable[[str], Path]) -> None:
        root = copy_of("x86_64-cxl-memory")
        driver = root / "sys/devices/platform/ACPI0017:00/root0/decoder0.0/region0/dax_region0/dax0.0/driver"
        driver.unlink()
        driver.symlink_to("../../drivers/device_dax")
        assert self.kinds(collect(str(root), "sysfs")) == {0: "dram", 1: "dram", 2: "unknown", 3: "cxl"}

    @pytest.mark.parametrize("file", ["sys/devices/system/memory/block_size_bytes", "sys/bus/cxl/devices/region1"])
    def test_without_the_addresses_a_cxl_region_is_of_no_node(self, copy_of: Callable[[str], Path], file: str) -> None:
        root = copy_of("x86_64-cxl-memory")
        (root / file).unlink()
        assert self.kinds(collect(str(root), "sysfs"))[3] == "unknown"

    def test_a_node_whose_cpus_are_all_off_is_plain_ram(self, copy_of: Callable[[str], Path]) -> None:
        root = copy_of("x86_64-cpuless-node")
        (root / NODE / "node2" / "cpu9").symlink_to("../../cpu/cpu9")
        assert self.kinds(collect(str(root), "sysfs"))[2] == "dram"

    def test_before_access1_there_was_access0(self, copy_of: Callable[[str], Path]) -> None:
        root = copy_of("x86_64-fast-memory")
        for node in (root / NODE).glob("node*"):
            shutil.rmtree(node / "access0", ignore_errors=True)
            (node / "access1").rename(node / "access0")
        assert self.kinds(collect(str(root), "sysfs")) == self.kinds(
            collect(str(HOSTS / "x86_64-fast-memory" / "root"), "sysfs")
        )

    def test_a_refresh_keeps_the_kinds_and_looks_again_when_memory_comes(self, copy_of: Callable[[str], Path]) -> None:
        root = copy_of("aarch64-gpu-memory")
        host = collect(str(root), "sysfs")
        assert self.kinds(refresh(host, str(root))) == {0: "dram", 1: "gpu", 2: None}
        meminfo = root / NODE / "node2" / "meminfo"
        meminfo.write_text(meminfo.read_text().replace("  0 kB", "  4096 kB"))
        host = refresh(host, str(root))
        assert self.kinds(host) == {0: "dram", 1: "gpu", 2: "unknown"}
        meminfo.write_text(meminfo.read_text().replace("  4096 kB", "  0 kB"))
        assert self.kinds(refresh(host, str(root))) == {0: "dram", 1: "gpu", 2: None}

    def test_the_microcode_is_in_sysfs_where_cpuinfo_lacks_it(self, copy_of: Callable[[str], Path]) -> None:
        root = copy_of("x86_64-offline-cpus")
        for cpu, version in ((0, "0x1"), (1, "0x2b000590"), (2, "0x3")):
            (root / f"sys/devices/system/cpu/cpu{cpu}/microcode").mkdir()
            (root / f"sys/devices/system/cpu/cpu{cpu}/microcode/version").write_text(f"{version}\n")
        assert collect(str(root), "sysfs").cpu.microcode == "0x2b000590"
