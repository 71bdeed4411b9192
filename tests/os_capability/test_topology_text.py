# SPDX-License-Identifier: Apache-2.0
"""The machine drawn: where everything stands, and how a terminal shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from os_capability import CpuSet, Host
from os_capability.model import CpuKind, NumaNode, PciDevice, Processor
from os_capability.render.drawing import Box, Core, Listed
from os_capability.render.layout import layout
from os_capability.render.topology_text import render_text, text_width
from tests.os_capability.conftest import HOSTS
from tests.os_capability.drawings import machine, regular, shown_cpus

GIB = 1 << 30


@pytest.fixture(params=sorted(folder.parent.name for folder in HOSTS.glob("*/root")))
def any_host(request: pytest.FixtureRequest) -> Host:
    return machine(request.param)


def boxes(box: Box) -> Iterator[Box]:
    yield box
    for inner in box.boxes:
        yield from boxes(inner)


def titles(host: Host) -> list[str]:
    return [box.title for box in boxes(layout(host).machine)][1:]


def nesting(box: Box) -> object:
    """Give the titles of the boxes in a box as a tree."""
    return {inner.title: nesting(inner) for inner in box.boxes}


def _is_cut(above: str, below: str) -> bool:
    """Tell whether a vertical border ends in the air between two lines."""
    return (above in "│┐┌┬┤├┼") != (below in "│└┘┴┤├┼")


class TestEveryMachine:
    def test_every_cpu_is_shown_exactly_once(self, any_host: Host) -> None:
        everyone = any_host.cpu.online | any_host.cpu.offline
        assert sorted(shown_cpus(layout(any_host).machine)) == list(everyone)

    def test_every_box_holds_what_is_in_it_and_no_more(self, any_host: Host) -> None:
        for box in boxes(layout(any_host).machine):
            assert sorted(shown_cpus(box)) == list(box.cpus)

    def test_every_node_is_named(self, any_host: Host) -> None:
        text = render_text(any_host)
        for node in any_host.numa.nodes:
            named = f"NUMA node {node.id}" in text or "more alike: NUMA nodes" in text
            assert named != any_host.numa.synthetic

    @pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
    def test_no_line_is_wider_than_it_may_be(self, any_host: Host, width: int) -> None:
        lines = render_text(any_host, width=width).splitlines()
        assert [line for line in lines if text_width(line) > width] == []

    @pytest.mark.parametrize("width", [40, 44, 60])
    def test_no_border_and_no_number_is_lost_where_it_is_narrow(self, any_host: Host, width: int) -> None:
        text = render_text(any_host, width=width)
        drawn = [bar.text for box in boxes(layout(any_host).machine) for bar in box.bars]
        assert [bar for bar in drawn if bar not in text] == []
        framed = [line for line in text.splitlines() if line[0] in "┌│├└"]
        for above, below in pairwise(framed):
            assert [one + other for one, other in zip(above, below, strict=True) if _is_cut(one, other)] == []

    def test_the_readers_warnings_come_last(self, any_host: Host) -> None:
        lines = render_text(any_host, width=1000).splitlines()
        said = [f"! {warning.code}: {warning.message}" for warning in any_host.warnings]
        assert lines[len(lines) - len(said) :] == said

    def test_colour_and_ascii_change_how_it_looks_and_not_what_it_says(self, any_host: Host) -> None:
        plain = render_text(any_host)
        assert re.sub(r"\x1b\[\d+m", "", render_text(any_host, colour=True)) == plain
        in_ascii = render_text(any_host, ascii_only=True)
        assert in_ascii.isascii()
        assert re.findall(r"[\w,]+", in_ascii) == re.findall(r"[\w,]+", plain)

    def test_the_frames_are_closed(self, any_host: Host) -> None:
        lines = [line for line in render_text(any_host, width=80).splitlines() if line[0] in "┌│├└"]
        assert {line[0] + line[-1] for line in lines} == {"┌┐", "││", "└┘"}
        assert len(set(map(text_width, lines))) == 1


GOLDEN = {
    "x86_64-uneven-hugepages": """\
┌ x86-64-uneven-hugepages ──────────────────────────────────────────────────────────┐
│ Example CPU 2000 @ 2.00GHz                                                        │
│ 8 CPUs online, 4 cores, 2 sockets, 2 NUMA nodes                                   │
│ each core: L2 1.2 MiB                                                             │
│ ┌ NUMA node 0 · socket 0 · L3 24 MiB ──┐ ┌ NUMA node 1 · socket 1 · L3 24 MiB ──┐ │
│ │ memory      ████████░░  5.8 of 8 GiB │ │ memory      ███░░░░░░░  2 of 8 GiB   │ │
│ │ 2 MiB pages █████████░  412 of 512   │ │ 1 GiB pages ░░░░░░░░░░  0 of 3       │ │
│ │ 1 GiB pages ██████████  1 of 1       │ │ ┌─────┬─────┐                        │ │
│ │ ┌─────┬─────┐                        │ │ │ 2 6 │ 3 7 │                        │ │
│ │ │ 0 4 │ 1 5 │                        │ │ └─────┴─────┘                        │ │
│ │ └─────┴─────┘                        │ │                                      │ │
│ └──────────────────────────────────────┘ └──────────────────────────────────────┘ │
└───────────────────────────────────────────────────────────────────────────────────┘
a cell is a core, the numbers in it are its CPUs
a bar is what is in use; of memory that includes the page cache""",
    "x86_64-hybrid": """\
┌ x86-64-hybrid ────────────────────────────────┐
│ Example Core i0-0000K                         │
│ 8 CPUs online, 6 cores, 1 socket, 1 NUMA node │
│ ┌ NUMA node 0 · socket 0 · L3 12 MiB ───────┐ │
│ │ memory █████░░░░░  2 of 4 GiB             │ │
│ │ ┌───────┬───────┐                         │ │
│ │ │ P 0 1 │ P 2 3 │                         │ │
│ │ └───────┴───────┘                         │ │
│ │ ┌ cluster 24 · L2 2 MiB ────────────────┐ │ │
│ │ │ ┌─────┬─────┬─────┬─────┐             │ │ │
│ │ │ │ E 4 │ E 5 │ E 6 │ E 7 │             │ │ │
│ │ │ └─────┴─────┴─────┴─────┘             │ │ │
│ │ └───────────────────────────────────────┘ │ │
│ └───────────────────────────────────────────┘ │
└───────────────────────────────────────────────┘
a cell is a core, the numbers in it are its CPUs
P performance cores, CPUs 0-3
E efficiency cores, CPUs 4-7
a bar is what is in use; of memory that includes the page cache""",
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_machine_looks_like_this(name: str) -> None:
    assert render_text(machine(name)) == GOLDEN[name]


class TestNesting:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("x86_64-two-sockets", {"NUMA node 0 · socket 0": {}, "NUMA node 1 · socket 3": {}}),
            ("x86_64-two-dies", {"socket 0": {"NUMA node 0 · die 0": {}, "NUMA node 1 · die 1": {}}}),
            ("x86_64-one-node-guest", {"NUMA node 0": {f"socket {n}": {} for n in range(4)}}),
            ("x86_64-sparse-node-ids", {f"NUMA node {n} · socket {max(0, n - 1)}": {} for n in (0, 2, 3)}),
            ("x86_64-no-numa", {"socket 0": {}}),
            ("x86_64-offline-cpus", {"NUMA node 0 · socket 0": {}, "offline, place unknown": {}}),
            ("s390x-books", {"drawer 4": {"book 1": {}, "book 2": {}}}),
            ("aarch64-big-little", {"cluster 0": {}, "cluster 1": {}}),
        ],
    )
    def test_what_lies_in_what_follows_the_cpus(self, name: str, expected: object) -> None:
        assert nesting(layout(machine(name)).machine) == expected

    def test_nodes_lie_in_the_socket_they_divide(self) -> None:
        drawn = layout(machine("x86_64-four-nodes-per-socket")).machine
        assert [box.title for box in drawn.boxes] == ["socket 0", "socket 1"]
        assert [len(list(socket.boxes)) for socket in drawn.boxes] == [4, 4]

    def test_a_node_that_crosses_a_socket_is_drawn_in_parts_on_both_sides(self) -> None:
        host = regular(sockets=2, cores=3)
        crossing = CpuSet([2, 3])
        nodes = (replace(host.numa.nodes[0], cpus=crossing), replace(host.numa.nodes[1], cpus=CpuSet([0, 1])))
        drawn = layout(replace(host, numa=replace(host.numa, nodes=nodes))).machine
        assert sorted(shown_cpus(drawn)) == list(range(6))
        parts = [box for box in boxes(drawn) if "only a part of NUMA node 0" in box.notes]
        assert [str(box.cpus) for box in parts] == ["2", "3"]

    def test_nodes_that_share_cpus_are_drawn_beside_them(self) -> None:
        host = regular(sockets=2, cores=2)
        nodes = tuple(replace(node, cpus=host.cpu.online) for node in host.numa.nodes)
        nobody = tuple(replace(processor, node=None) for processor in host.cpu.processors)
        host = replace(host, cpu=replace(host.cpu, processors=nobody), numa=replace(host.numa, nodes=nodes))
        assert titles(host) == ["socket 0", "socket 1", "NUMA node 0", "NUMA node 1"]
        assert render_text(host).count("CPUs 0-3, in other nodes too") == 2

    def test_a_shared_cache_is_a_box_or_stands_beside_what_it_is_all_of(self) -> None:
        shared = regular(cores=4, l3_cores=2)
        assert [box.title for box in boxes(layout(shared).machine)][2:] == ["L3 32 MiB", "L3 32 MiB"]
        whole = regular(cores=4, l3_cores=4)
        assert [box.facts for box in layout(whole).machine.boxes] == [("L3 32 MiB",)]

    def test_cpus_of_unknown_cores_are_listed(self) -> None:
        host = regular(cores=4)
        coreless = tuple(replace(processor, core=None) for processor in host.cpu.processors)
        text = render_text(replace(host, cpu=replace(host.cpu, processors=coreless, cores=None)))
        assert "CPUs 0-3, cores unknown" in text
        assert "a cell is a core" not in text

    def test_an_offline_cpu_whose_node_is_known_stands_in_it(self) -> None:
        host = regular(sockets=2, cores=2)
        gone = Processor(id=9, online=False, node=1)
        cpu = replace(host.cpu, offline=CpuSet([9]), processors=(*host.cpu.processors, gone))
        drawn = layout(replace(host, cpu=cpu)).machine
        assert [str(box.cpus) for box in drawn.boxes] == ["0-1", "2-3,9"]
        assert "│ (9) │" in render_text(replace(host, cpu=cpu))


class TestFolding:
    def test_up_to_48_cpus_everything_is_drawn(self) -> None:
        drawn = layout(regular(sockets=2, cores=24)).machine
        assert [part for box in boxes(drawn) for part in box.parts if isinstance(part, Listed)] == []

    def test_a_long_run_of_cores_is_counted(self) -> None:
        host = regular(cores=64)
        (node,) = layout(host).machine.boxes
        assert len([part for part in node.parts if isinstance(part, Core)]) == 8
        assert "56 more alike: cores 8-63, CPUs 8-63" in render_text(host)

    def test_nodes_that_are_alike_keep_their_cpus_and_memory(self) -> None:
        text = render_text(regular(sockets=4, cores=16, threads=2))
        assert [f"NUMA node {node} · socket {node}" in text for node in range(4)] == [True] * 4
        assert text.count("memory █████") == 4
        assert "inside as above, CPUs 16-31,80-95" in text

    def test_what_has_no_memory_to_show_is_counted(self) -> None:
        text = render_text(regular(cores=64, l3_cores=8))
        assert "7 more alike: CPUs 8-63" in text
        assert text.count("L3 32 MiB") == 1

    def test_a_node_with_an_isolated_cpu_is_not_like_the_others(self) -> None:
        host = regular(sockets=4, cores=16)
        text = render_text(replace(host, cpu=replace(host.cpu, isolated=CpuSet([20]))))
        assert "20i" in text
        assert text.count("inside as above") == 1

    @pytest.mark.parametrize(
        ("host", "most_lines"),
        [
            (regular(), 15),
            (regular(sockets=2, cores=64, threads=2), 40),
            (regular(sockets=2, nodes=4, cores=16, threads=2, l3_cores=8), 40),
            (regular(sockets=4, nodes=4, cores=32, threads=2, l3_cores=8), 60),
        ],
        ids=lambda value: f"{value.cpu.threads} CPUs" if isinstance(value, Host) else "",
    )
    def test_it_fits_on_a_page_or_two(self, host: Host, most_lines: int) -> None:
        assert len(render_text(host).splitlines()) <= most_lines


class TestWhatIsSaid:
    def test_offline_and_isolated_cpus_have_signs_that_the_legend_explains(self) -> None:
        assert "│ (0) │ (5) │" in render_text(machine("x86_64-offline-cpus"))
        assert "() offline, CPUs 0,5" in render_text(machine("x86_64-offline-cpus"))
        assert "│ 2i │ 3i │" in render_text(machine("x86_64-isolated-cpus"))
        assert "i isolated, CPUs 2-3" in render_text(machine("x86_64-isolated-cpus"))

    def test_the_legend_leaves_out_what_does_not_occur(self) -> None:
        legend = render_text(machine("x86_64-plain")).partition("┘\na cell")[2]
        assert "isolated" not in legend
        assert "offline" not in legend
        assert "performance" not in legend

    def test_kinds_without_a_letter_of_their_own_get_one(self) -> None:
        host = regular(cores=2)
        kinds = tuple(
            CpuKind(name=name, cpus=CpuSet([cpu]), threads_per_core=1)
            for cpu, name in enumerate(("capacity-1024", "capacity-512"))
        )
        processors = tuple(
            replace(processor, kind=kind.name) for processor, kind in zip(host.cpu.processors, kinds, strict=True)
        )
        text = render_text(replace(host, cpu=replace(host.cpu, kinds=kinds, processors=processors)))
        assert "│ A 0 │ B 1 │" in text
        assert "B capacity-512 cores, CPU 1" in text

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"memory_total_bytes": 0, "memory_free_bytes": 0, "memory_kind": None}, "no CPUs · no memory"),
            ({"memory_kind": "gpu"}, "GPU memory █"),
            ({"memory_kind": "cxl"}, "CXL memory █"),
            ({"memory_kind": "hbm"}, "HBM memory █"),
            ({"memory_kind": "unknown"}, "memory only, kind unknown"),
            ({"memory_kind": "dram"}, "NUMA node 7 · memory only"),
        ],
    )
    def test_memory_that_is_no_plain_ram_is_named(self, change: dict[str, object], says: str) -> None:
        host = regular(cores=2)
        cpuless: NumaNode = replace(host.numa.nodes[0], id=7, cpus=CpuSet(), **change)  # type: ignore[arg-type]
        text = render_text(replace(host, numa=replace(host.numa, nodes=(*host.numa.nodes, cpuless))))
        assert says in text

    def test_many_nodes_that_have_nothing_are_one_line(self) -> None:
        host = regular(cores=2)
        empty = {"cpus": CpuSet(), "memory_total_bytes": 0, "memory_free_bytes": 0, "hugepages": ()}
        nodes = [replace(host.numa.nodes[0], id=node, **empty) for node in (2, 3, 4, 9)]  # type: ignore[arg-type]
        gpu = replace(nodes[0], id=5, memory_total_bytes=96 << 30, memory_kind="gpu")
        text = render_text(replace(host, numa=replace(host.numa, nodes=(*host.numa.nodes, *nodes[:3], gpu, nodes[3]))))
        assert "NUMA nodes 2-4,9: no CPUs, no memory" in text
        assert "NUMA node 5 · memory only" in text
        assert "NUMA node 3" not in text

    def test_unknown_memory_is_no_bar_and_no_zero(self) -> None:
        host = regular(sockets=2, cores=2)
        dark = replace(host.numa.nodes[1], memory_total_bytes=None, memory_free_bytes=None, hugepages=None)
        text = render_text(replace(host, numa=replace(host.numa, nodes=(host.numa.nodes[0], dark))))
        assert "NUMA node 1 · socket 1 · memory unknown" in text
        assert text.count("memory █") == 1

    def test_an_idle_huge_page_pool_is_not_used_memory(self) -> None:
        text = render_text(machine("x86_64-uneven-hugepages"))
        assert "memory      ███░░░░░░░  2 of 8 GiB" in text
        assert "1 GiB pages ░░░░░░░░░░  0 of 3" in text

    def test_devices_stand_in_their_node(self) -> None:
        host = regular(sockets=2, cores=2)
        text = render_text(
            replace(
                host,
                pci=(
                    device("0000:3b:00.0", node=1, sriov="pf", sriov_total_vfs=64, sriov_num_vfs=8),
                    device("0000:3b:00.1", node=1, sriov="pf", sriov_total_vfs=64, sriov_num_vfs=8),
                    device("0000:3b:02.0", node=1, sriov="vf"),
                    device("0000:5e:00.0", kind="nvme", driver="nvme", node=0),
                    device("0000:5f:00.0", kind="gpu", driver=None, node=None),
                    device("0000:60:00.0", kind="storage", node=0),
                ),
            )
        )
        assert "network (mlx5_core, 8 of 64 VFs) 0000:3b:00.0," in text
        assert "3b:02.0" not in text
        assert "60:00.0" not in text
        lines = text.splitlines()
        node_0 = next(at for at, line in enumerate(lines) if "NUMA node 0" in line)
        machine_end = next(at for at, line in enumerate(lines) if line.startswith("└"))
        assert any("NVMe (nvme) 0000:5e:00.0" in line for line in lines[node_0:machine_end])
        assert lines[machine_end - 1].startswith("│ GPU 0000:5f:00.0 ")

    def test_many_devices_that_are_alike_are_counted(self) -> None:
        host = regular(cores=2)
        text = render_text(replace(host, pci=tuple(device(f"0000:00:{n:02x}.0", node=0) for n in range(20))))
        assert "and 14 more" in " ".join(text.split())


def device(address: str, *, node: int | None, kind: str = "network", **facts: object) -> PciDevice:
    known: dict[str, object] = dict.fromkeys(PciDevice.__slots__)
    known |= {"address": address, "kind": kind, "node": node, "driver": "mlx5_core", **facts}
    return PciDevice(**known)  # type: ignore[arg-type]


def test_the_view_from_a_container_is_named() -> None:
    assert "│ seen from a container (docker) " in render_text(machine("x86_64-docker-in-guest"))


class TestHostileText:
    @pytest.mark.parametrize(
        "name", ["\x1b[31mred", "a\nb\tc", "a\udcffb", "x" * 300, "計算機" * 40, "é\u0301" * 50, "\u202eright", ""]
    )
    def test_a_name_neither_steers_the_terminal_nor_breaks_the_frame(self, name: str) -> None:
        host = replace(regular(cores=2), hostname=name)
        lines = render_text(host).splitlines()
        framed = [line for line in lines if line[0] in "┌│├└"]
        assert {text_width(line) for line in framed} == {text_width(framed[0])}
        assert text_width(framed[0]) <= 100
        assert all(line.isprintable() for line in lines)
        assert "\n".join(lines).encode()

    def test_ascii_takes_a_wide_name_without_losing_its_frame(self) -> None:
        lines = render_text(replace(regular(cores=2), hostname="計算機"), ascii_only=True).splitlines()
        assert lines[0].startswith("+ ?????? -")
        assert len({len(line) for line in lines if line[0] in "+|"}) == 1
