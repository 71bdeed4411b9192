# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_agent.workloads.domain_xml import Domain, parse_domain
from host_agent.workloads.workload import HeldPages
from os_capability import CpuSet

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
NOVA = """
<metadata>
  <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
    <nova:package version="27.1.0"/>
    <nova:name>shop front</nova:name>
    <nova:flavor name="m1.large"><nova:memory>4096</nova:memory></nova:flavor>
    <nova:owner>
      <nova:user uuid="aaaa">alice</nova:user>
      <nova:project uuid="bbbb">shop</nova:project>
    </nova:owner>
  </nova:instance>
  <other:thing xmlns:other="http://example.org/instance"><other:name>no</other:name></other:thing>
</metadata>
"""
CELLS = """
<cpu><numa>
  <cell id='0' cpus='0-1' memory='2097152' unit='KiB'/>
  <cell id='1' cpus='2-3' memory='1' unit='GiB'/>
</numa></cpu>
"""


def domain(*elements: str, memory: str = "<memory unit='KiB'>4194304</memory>", vcpu: str = "<vcpu>4</vcpu>") -> Domain:
    parsed = parse_domain(f"<domain type='kvm'><name>a</name>{memory}{vcpu}{''.join(elements)}</domain>", 2 * MIB)
    assert parsed is not None
    return parsed


def pages(*page: str) -> str:
    return f"<memoryBacking><hugepages>{''.join(page)}</hugepages></memoryBacking>"


class TestFigures:
    def test_plain(self) -> None:
        assert domain() == Domain(vcpus=4, memory_bytes=4 * GIB, hugepages=())

    def test_fewer_vcpus_than_it_could_have(self) -> None:
        assert domain(vcpu="<vcpu placement='static' current='2'>8</vcpu>").vcpus == 2

    def test_the_balloon_takes_from_its_memory(self) -> None:
        assert domain("<currentMemory unit='KiB'>1024</currentMemory>").memory_bytes == 4 * GIB

    @pytest.mark.parametrize(
        ("unit", "size"),
        [("b", 1), ("bytes", 1), ("KB", 1000), ("k", KIB), ("KiB", KIB), ("M", MIB), ("MB", 10**6), ("GiB", GIB)],
    )
    def test_units(self, unit: str, size: int) -> None:
        assert domain(memory=f"<memory unit='{unit}'>7</memory>").memory_bytes == 7 * size

    @pytest.mark.parametrize(
        "memory", ["", "<memory/>", "<memory>-1</memory>", "<memory unit='XB'>1</memory>", "<memory>²</memory>"]
    )
    def test_no_memory(self, memory: str) -> None:
        assert domain(memory=memory).memory_bytes is None
        assert domain(pages(), memory=memory).hugepages is None

    @pytest.mark.parametrize("vcpu", ["", "<vcpu/>", "<vcpu>0</vcpu>", "<vcpu>x</vcpu>", "<vcpu>99999999999999</vcpu>"])
    def test_no_vcpus(self, vcpu: str) -> None:
        assert domain(vcpu=vcpu).vcpus is None


class TestCpuset:
    @pytest.mark.parametrize(
        ("vcpu", "pins", "cpuset"),
        [
            ("<vcpu>2</vcpu>", {}, None),
            ("<vcpu cpuset='0-3,8'>2</vcpu>", {}, "0-3,8"),
            ("<vcpu>2</vcpu>", {0: "4", 1: "6"}, "4,6"),
            ("<vcpu>2</vcpu>", {0: "4"}, None),
            ("<vcpu cpuset='0-1'>2</vcpu>", {0: "4"}, "0-1,4"),
            ("<vcpu cpuset='0-1'>2</vcpu>", {0: "4", 1: "5"}, "4-5"),
            ("<vcpu current='1'>2</vcpu>", {0: "4", 1: "6"}, "4"),
            ("<vcpu>2</vcpu>", {0: "4", 1: "nonsense"}, None),
            ("<vcpu cpuset='nonsense'>2</vcpu>", {}, None),
        ],
    )
    def test_where_its_vcpus_may_run(self, vcpu: str, pins: dict[int, str], cpuset: str | None) -> None:
        elements = "".join(f"<vcpupin vcpu='{number}' cpuset='{cpus}'/>" for number, cpus in pins.items())
        found = domain(f"<cputune>{elements}</cputune>", vcpu=vcpu).cpuset
        assert found == (None if cpuset is None else CpuSet.parse_list(cpuset))

    def test_vcpus_that_were_plugged_in_one_by_one(self) -> None:
        plugged = "<vcpus><vcpu id='0' enabled='yes'/><vcpu id='1' enabled='no'/><vcpu id='2' enabled='yes'/></vcpus>"
        pins = "<cputune>" + "".join(f"<vcpupin vcpu='{n}' cpuset='{n + 4}'/>" for n in range(3)) + "</cputune>"
        assert domain(plugged, pins, vcpu="<vcpu current='2'>3</vcpu>").cpuset == CpuSet([4, 6])


class TestHugepages:
    @pytest.mark.parametrize(
        ("page", "cells", "held"),
        [
            ([], "", {2 * MIB: 2048}),
            (["<page size='1' unit='G'/>"], "", {GIB: 4}),
            (["<page size='2048' unit='KiB'/>"], CELLS, {2 * MIB: 2048}),
            (["<page size='1048576' unit='KiB' nodeset='0'/>"], "", {GIB: 4}),
            (["<page size='2048' nodeset='0'/>", "<page size='1048576' nodeset='1'/>"], CELLS, {2 * MIB: 1024, GIB: 1}),
            (["<page size='1048576' nodeset='1'/>", "<page size='2048'/>"], CELLS, {2 * MIB: 1536, GIB: 1}),
            (["<page size='2048'/>", "<page size='1048576' nodeset='1'/>"], CELLS, {2 * MIB: 1536, GIB: 1}),
            (["<page size='1048576' nodeset='0-1'/>"], CELLS, {GIB: 3}),
            (
                ["<page size='2048' nodeset='0-1'/>", "<page size='1' unit='G' nodeset='1,0'/>"],
                CELLS,
                {2 * MIB: 1536, GIB: 1},
            ),
            (["<page size='4'/>"], "", {}),
            (["<page size='4' nodeset='0'/>", "<page size='1048576' nodeset='1'/>"], CELLS, {GIB: 1}),
        ],
    )
    def test_pages_of_each_size(self, page: list[str], cells: str, held: dict[int, int]) -> None:
        expected = tuple(HeldPages(size_bytes=size, count=count) for size, count in sorted(held.items()))
        assert domain(pages(*page), cells).hugepages == expected

    def test_a_page_too_many_rather_than_one_too_few(self) -> None:
        odd = domain(pages("<page size='1' unit='G'/>"), memory="<memory unit='MiB'>1500</memory>")
        assert odd.hugepages == (HeldPages(size_bytes=GIB, count=2),)

    def test_of_a_size_that_nobody_knows(self) -> None:
        assert domain(pages("<page size='nonsense'/>")).hugepages is None
        described = f"<domain><memory>1024</memory>{pages()}</domain>"
        assert parse_domain(described) == Domain(memory_bytes=MIB, hugepages=None)


class TestNumaNodes:
    @pytest.mark.parametrize(
        ("elements", "nodes"),
        [
            ("<memory mode='strict' nodeset='0'/>", (0,)),
            ("<memory mode='restrictive' nodeset='1,3'/>", (1, 3)),
            ("<memory mode='preferred' nodeset='0'/>", None),
            ("<memory mode='strict' placement='auto'/>", None),
            ("<memnode cellid='0' mode='strict' nodeset='1'/><memnode cellid='1' mode='strict' nodeset='2'/>", (1, 2)),
            ("<memory mode='strict' nodeset='nonsense'/>", None),
        ],
    )
    def test_nodes_that_bind(self, elements: str, nodes: tuple[int, ...] | None) -> None:
        assert domain(f"<numatune>{elements}</numatune>").numa_nodes == nodes


class TestDisks:
    def test_those_that_lie_on_this_host(self) -> None:
        disks = """<devices>
            <disk type='file' device='disk'><target dev='vda'/></disk>
            <disk type='block'><target dev='vdb'/></disk>
            <disk type='network' device='disk'><target dev='vdc'/></disk>
            <disk type='file' device='cdrom'><target dev='sda'/><readonly/></disk>
            <disk type='file' device='disk'><target dev='vdd'/><readonly/></disk>
            <disk type='file'/>
        </devices>"""
        assert domain(disks).disks == ("vda", "vdb")


class TestLabels:
    def test_of_nova(self) -> None:
        assert domain(NOVA).labels == {"nova.name": "shop front", "nova.flavor": "m1.large", "nova.project": "shop"}

    def test_of_an_older_nova(self) -> None:
        metadata = "<metadata><i:instance xmlns:i='http://openstack.org/xmlns/libvirt/nova/1.0'><i:name>a</i:name></i:instance>"
        assert domain(metadata + "</metadata>").labels == {"nova.name": "a"}

    def test_of_nobody(self) -> None:
        assert domain("<metadata><x/></metadata>").labels == {}


class TestNoDescription:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "not XML",
            "<domain>",
            "<network/>",
            "<domain>\0</domain>",
            "<domain>\ud800</domain>",
            "<!DOCTYPE domain [<!ENTITY a 'aaaa'>]><domain><name>&a;</name></domain>",
            "<domain>&a;</domain>",
        ],
    )
    def test_is_none(self, text: str) -> None:
        assert parse_domain(text) is None

    def test_a_very_deep_one(self) -> None:
        assert parse_domain("<domain>" + "<a>" * 50000 + "</a>" * 50000 + "</domain>") == Domain(hugepages=())


PIECES = [
    *("<domain>", "</domain>", "<vcpu current='", "' cpuset='", "'>", "</vcpu>", "<memory unit='", "</memory>"),
    *(
        "<cputune><vcpupin vcpu='0' cpuset='1'/></cputune>",
        "<numatune><memory mode='strict' nodeset='",
        "'/></numatune>",
    ),
    *(pages(), pages("<page size='1' unit='G' nodeset='0'/>"), CELLS, NOVA, "0-3", "4", "GiB", "99999999999999999999"),
    "<devices><disk type='file'><target dev='a'/></disk><disk/></devices>",
]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=20).map("".join), st.booleans())
def test_any_text(text: str, whole: bool) -> None:
    parsed = parse_domain(f"<domain>{text}</domain>" if whole else text, 2 * MIB)
    assert parsed is None or parsed.vcpus is None or parsed.vcpus > 0
