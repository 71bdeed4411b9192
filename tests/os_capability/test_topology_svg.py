# SPDX-License-Identifier: Apache-2.0
"""The machine drawn as SVG: an image that any page can hold, in which nothing lies on anything else."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from os_capability import CpuSet, Host
from os_capability.render.topology_svg import BAR_COLOURS, COLOURS, TEXT_COLOURS, render_svg
from tests.os_capability.conftest import HOSTS, SOURCE_TREE
from tests.os_capability.drawings import SVG, faults, machine, regular

IMAGES = SOURCE_TREE / "docs" / "images"


@pytest.fixture(params=sorted(folder.parent.name for folder in HOSTS.glob("*/root")))
def any_host(request: pytest.FixtureRequest) -> Host:
    return machine(request.param)


def words(svg: str) -> str:
    return " ".join("".join(text.itertext()) for text in ElementTree.fromstring(svg).iter(f"{SVG}text"))


class TestEveryMachine:
    @pytest.mark.parametrize("width", [480, 960])
    def test_nothing_is_outside_its_box_or_on_its_neighbour(self, any_host: Host, width: int) -> None:
        assert faults(render_svg(any_host, width=width)) == []

    def test_it_is_an_image_with_a_name_and_nothing_from_elsewhere(self, any_host: Host) -> None:
        svg = render_svg(any_host)
        root = ElementTree.fromstring(svg)
        assert root.attrib["role"] == "img"
        assert root.attrib["viewBox"] == f"0 0 {root.attrib['width']} {root.attrib['height']}"
        assert [child.tag for child in root][:3] == [f"{SVG}title", f"{SVG}desc", f"{SVG}style"]
        assert root.attrib["aria-label"] == root.findtext(f"{SVG}title") == f"Topology of {any_host.hostname}"
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
            *("svg", "title", "desc", "style", "g", "rect", "text", "tspan")
        }
        assert not re.search(r"url\(|@import|@font-face|href|\bid=|\bon\w+=|https?:(?!//www.w3.org/2000/svg)", svg)
        assert svg.isascii()

    def test_the_stored_document_gives_the_same_image(self, any_host: Host) -> None:
        assert render_svg(Host.from_dict(any_host.to_dict())) == render_svg(any_host)


class TestWhatIsShown:
    def test_the_same_as_on_the_terminal(self) -> None:
        shown = words(render_svg(machine("x86_64-uneven-hugepages")))
        assert "NUMA node 1 · socket 1 · L3 24 MiB memory 2 of 8 GiB 1 GiB pages 0 of 3 2 6 3 7" in shown

    def test_every_core_has_a_title_that_names_its_cpus(self) -> None:
        root = ElementTree.fromstring(render_svg(machine("x86_64-two-sockets")))
        titles = [title.text for title in root.iter(f"{SVG}title")]
        assert [title for title in titles if (title or "").startswith("core ")] == [
            f"core {core}: CPUs {core},{core + 4}" for core in range(4)
        ]

    @pytest.mark.parametrize(
        ("name", "signs"),
        [
            ("x86_64-isolated-cpus", ["2 i", "3 i"]),
            ("x86_64-hybrid", ["P 0 1", "E 4"]),
            ("x86_64-offline-cpus", ["offline, place unknown 0 5"]),
        ],
    )
    def test_colour_is_never_the_only_sign(self, name: str, signs: list[str]) -> None:
        assert [sign for sign in signs if sign not in words(render_svg(machine(name)))] == []

    def test_an_offline_cpu_has_a_broken_edge(self) -> None:
        svg = render_svg(machine("x86_64-offline-cpus"))
        assert svg.count('class="offline dashed"') == 3  # CPUs 0 and 5, and the legend
        assert ".dashed{stroke-dasharray:" in svg

    def test_a_bar_is_as_long_as_its_share(self) -> None:
        svg = render_svg(machine("x86_64-uneven-hugepages"))
        track, pages = (
            [int(found) for found in re.findall(rf'class="{kind}" .* width="(\d+)"', svg)]
            for kind in ("track", "hugepages")
        )
        assert [filled / track[0] for filled in pages] == pytest.approx([412 / 512, 1], abs=0.005)


class TestHostileText:
    NAME = """<script>alert("1")</script>&amp;'\x00\x1b]\ud800\uffff""" + "w" * 300

    def test_what_comes_from_the_machine_stays_text_in_its_box(self) -> None:
        host = machine("x86_64-hybrid")
        kinds = tuple(replace(kind, name=self.NAME) for kind in host.cpu.kinds[:1])
        host = replace(host, hostname=self.NAME, cpu=replace(host.cpu, model=self.NAME, kinds=kinds))
        svg = render_svg(host)
        assert "<script" not in svg
        assert "<script>alert" in (ElementTree.fromstring(svg).findtext(f"{SVG}title") or "")
        assert faults(svg) == []

    def test_letters_beyond_ascii_are_kept(self) -> None:
        svg = render_svg(replace(machine("x86_64-plain"), hostname="größe-計算機"))
        assert svg.isascii()
        assert "größe-計算機" in words(svg)


class TestColours:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("text", TEXT_COLOURS)
    @pytest.mark.parametrize("below", COLOURS)
    def test_text_is_readable_on_every_fill(self, below: str, text: str, scheme: str) -> None:
        fill, letters = COLOURS[below][0], TEXT_COLOURS[text][0]
        if scheme == "dark":
            fill, letters = COLOURS[below][2], TEXT_COLOURS[text][1]
        assert contrast(fill, letters) >= 4.5

    @pytest.mark.parametrize("scheme", [0, 1])
    @pytest.mark.parametrize("kind", ["memory", "hugepages"])
    def test_a_bar_stands_out_from_its_track(self, kind: str, scheme: int) -> None:
        assert contrast(BAR_COLOURS[kind][scheme], BAR_COLOURS["track"][scheme]) >= 3

    def test_every_rule_is_bound_to_the_image(self) -> None:
        (style,) = re.findall(r"<style>(.*?)</style>", render_svg(regular()), re.DOTALL)
        selectors = re.findall(r"^([^{}@]+)\{", style, re.MULTILINE)
        assert selectors
        assert {selector.split()[0] for selector in selectors} == {".os-capability-topology"}
        assert style.count("@media (prefers-color-scheme:dark)") == 1


def contrast(one: str, other: str) -> float:
    """Give the contrast ratio of two colours, as WCAG 2 defines it."""
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class TestSize:
    @pytest.mark.parametrize("isolated", [CpuSet(), CpuSet(range(0, 256, 7))], ids=["all alike", "no two alike"])
    def test_256_cpus_are_no_heavy_image(self, isolated: CpuSet) -> None:
        host = regular(sockets=2, nodes=4, cores=16, threads=2, l3_cores=8)
        assert len(render_svg(replace(host, cpu=replace(host.cpu, isolated=isolated)))) < 150_000

    @pytest.mark.parametrize("width", [320, 960, 1600])
    def test_it_keeps_to_the_width(self, width: int) -> None:
        root = ElementTree.fromstring(render_svg(regular(sockets=2, cores=24, threads=2), width=width))
        assert int(root.attrib["width"]) <= width


@pytest.mark.parametrize("image", sorted(IMAGES.glob("*.svg")), ids=lambda image: image.stem)
def test_an_image_of_the_documentation_is_what_is_drawn_today(image: Path) -> None:
    # Otherwise: os-capability topology --source sysfs --root tests/hosts/NAME/root --svg docs/images/NAME.svg
    assert image.read_text() == render_svg(machine(image.stem))
