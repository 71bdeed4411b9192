# SPDX-License-Identifier: Apache-2.0
"""FreeBSD's own texts: groups of CPUs, domains, boot messages."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from os_capability.cpuset import CpuSet
from os_capability.errors import UnparsableText
from os_capability.freebsd.boot_messages import parse_boot_messages
from os_capability.freebsd.domains import parse_distances, parse_segments
from os_capability.freebsd.processors import parse_affinity
from os_capability.freebsd.topology import caches_of, cores_of, parse_topology


def group(cpus: str, inside: str = "", *, cache_level: int = 0, flags: str = "", count: int | None = None) -> str:
    listed = ", ".join(map(str, CpuSet.parse_list(cpus)))
    count = len(CpuSet.parse_list(cpus)) if count is None else count
    named = "".join(f'<flag name="{flag}">{flag} group</flag>' for flag in flags.split())
    return (
        f'<group level="1" cache-level="{cache_level}"><cpu count="{count}" mask="ff,0">{listed}</cpu>'
        f"<flags>{named}</flags><children>{inside}</children></group>"
    )


def groups(inside: str) -> str:
    return f"<groups>{inside}</groups>"


class TestTopology:
    """kern.sched.topology_spec."""

    def test_a_group_of_threads_is_a_core_and_a_cpu_in_none_is_one_by_itself(self) -> None:
        inside = group("0-1", cache_level=2, flags="THREAD SMT")
        found = cores_of(parse_topology(groups(group("0-3", inside, cache_level=3))))
        assert {cpu: str(core) for cpu, core in found.items()} == {0: "0-1", 1: "0-1", 2: "2", 3: "3"}

    def test_inside_a_group_of_threads_the_smaller_one_counts(self) -> None:
        inside = group("0-1", flags="THREAD") + group("2-3", flags="THREAD")
        found = cores_of(parse_topology(groups(group("0-3", inside, flags="HTT"))))
        assert {str(core) for core in found.values()} == {"0-1", "2-3"}

    def test_shared_caches_come_once_without_a_size(self) -> None:
        inside = group("0-1", cache_level=3) + group("2-3", cache_level=2)
        caches = caches_of(parse_topology(groups(group("0-3", inside, cache_level=3)))) or ()
        assert [(c.level, str(c.shared_cpus), c.size_bytes) for c in caches] == [(2, "2-3", None), (3, "0-3", None)]

    def test_without_shared_caches_they_are_unknown(self) -> None:
        assert caches_of(parse_topology(groups(group("0-3", cache_level=0)))) is None

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            pytest.param("", "not XML", id="empty"),
            pytest.param("<groups>", "not XML", id="cut short"),
            pytest.param("<groups></groups>", "no group", id="no group"),
            pytest.param(groups(group("0-3", count=5)), "not as many", id="a wrong count"),
            pytest.param(groups("<group><cpu>x</cpu></group>"), "neither a CPU", id="words"),
            pytest.param(groups("<group></group>"), "not as many", id="no CPUs"),
            pytest.param('<!DOCTYPE g [<!ENTITY a "b">]><groups>&a;</groups>', "not what a kernel", id="entities"),
            pytest.param(groups(" " * (9 << 20)), "not what a kernel", id="much too long"),
        ],
    )
    def test_what_is_no_topology_is_an_error_that_says_why(self, text: str, reason: str) -> None:
        with pytest.raises(UnparsableText, match=reason):
            parse_topology(text)

    @given(st.text(alphabet='<>/="groupscpulagn 0123456789,-&;!'))
    def test_any_text_is_groups_or_our_error(self, text: str) -> None:
        for candidate in (text, groups(text)):
            with suppress(UnparsableText):
                assert parse_topology(candidate)


class TestDomains:
    """vm.phys_segs and vm.phys_locality."""

    SEGMENTS = "SEGMENT 0:\n\nstart:     0x1000\nend:       0x3000\ndomain:    0\nfree list: 0xffff\n\n"

    def test_segments_of_a_domain_add_up(self) -> None:
        second = self.SEGMENTS.replace("0x3000", "0x2000")
        other = self.SEGMENTS.replace("domain:    0", "domain:    3")
        assert parse_segments(self.SEGMENTS + second + other) == {0: 0x3000, 3: 0x2000}

    def test_a_kernel_without_domains_tells_none(self) -> None:
        assert parse_segments(self.SEGMENTS.replace("domain:    0\n", "")) == {}

    @pytest.mark.parametrize(
        ("text", "table"),
        [
            ("0: 10 21 \n1: 21 10 \n", {0: {0: 10, 1: 21}, 1: {0: 21, 1: 10}}),
            ("0: 10\n", {0: {0: 10}}),
            ("0: -1 -1 \n1: -1 -1 \n", {}),
            ("", {}),
            ("nonsense", {}),
        ],
    )
    def test_distances(self, text: str, table: dict[int, dict[int, int]]) -> None:
        assert parse_distances(text) == table


class TestBootMessages:
    """kern.msgbuf."""

    XEON = (
        "CPU: Intel(R) Xeon(R) Silver 4210 CPU @ 2.20GHz (2200.00-MHz K8-class CPU)\n"
        '  Origin="GenuineIntel"  Id=0x50657  Family=0x6  Model=0x55  Stepping=7\n'
        "  Features=0x3<FPU,SSE>\n"
        "  Features2=0x80000001<SSE4.1,<b31>>\n"
        "  AMD Features=0x1<LM>\n"
        "  Structured Extended Features=0x20<AVX2>\n"
        "  VT-x: PAT,HLT\n"
        "FreeBSD/SMP: 2 package(s) x 10 core(s) x 2 hardware threads\n"
    )

    def test_they_tell_who_made_the_cpu_what_it_can_and_how_many_packages_there_are(self) -> None:
        assert parse_boot_messages(self.XEON) == ("GenuineIntel", "6", ("fpu", "sse", "sse4_1", "lm", "avx2"), 2)

    def test_the_latest_boot_counts(self) -> None:
        again = self.XEON.replace("2 package(s)", "1 package(s)")
        assert parse_boot_messages(f"---<<BOOT>>---\n{self.XEON}---<<BOOT>>---\n{again}").packages == 1

    def test_the_spelling_of_older_kernels_is_understood(self) -> None:
        old = self.XEON.replace('Origin="', 'Origin = "').replace("Family=0x6", "Family = 0x6")
        assert parse_boot_messages(old).vendor == "GenuineIntel"

    def test_cache_groups_between_packages_and_cores_do_not_matter(self) -> None:
        text = "FreeBSD/SMP: 1 package(s) x 4 cache groups x 3 core(s) x 2 hardware threads\n"
        assert parse_boot_messages(text).packages == 1

    @given(st.text())
    def test_messages_that_were_pushed_out_tell_nothing(self, text: str) -> None:
        assert parse_boot_messages(text) == (None, None, None, None)


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("pid -1 mask: 0, 1, 2, 3\npid -1 domain policy: first-touch mask: 0\n", "0-3"),
        ("pid -1 mask: 5\n", "5"),
    ],
)
def test_affinity(text: str, cpus: str) -> None:
    assert str(parse_affinity(text)) == cpus


@pytest.mark.parametrize("text", ["", "pid -1 mask:", "pid -1 mask: all"])
def test_an_affinity_without_cpus_is_not_understood(text: str) -> None:
    with pytest.raises(UnparsableText, match="cpuset"):
        parse_affinity(text)
