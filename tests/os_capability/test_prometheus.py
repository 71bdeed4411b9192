# SPDX-License-Identifier: Apache-2.0
"""Prometheus's text format, read back by the official parser."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from os_capability import Host, collect
from os_capability.model import HostWarning
from os_capability.render.prometheus import Family, Sample, prometheus_text, render_prometheus
from tests.beds import absent
from tests.os_capability.conftest import HOSTS, Run

NAMES = sorted(folder.parent.name for folder in HOSTS.glob("*/root"))

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def host_of(name: str) -> Host:
    return collect(str(HOSTS / name / "root"), "sysfs")


def series(text: str) -> Series:
    """Give every sample; none may come twice."""
    found: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def value(found: Series, name: str, **labels: str) -> float | None:
    return found.get((f"os_capability_{name}", frozenset(labels.items())))


@pytest.mark.parametrize("name", [*NAMES, "/"])
def test_it_follows_the_conventions(name: str) -> None:
    text = render_prometheus(collect() if name == "/" else host_of(name))
    assert text.endswith("\n")
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    for family in families:
        assert re.fullmatch(r"os_capability_[a-z_]+", family.name)
        assert family.type == "gauge"
        assert family.documentation.endswith(".")
        assert not family.name.endswith(("_total", "_count", "_sum", "_bucket", "_kb", "_mb", "_percent"))
        assert family.samples
        assert not any("nan" in str(sample.value) for sample in family.samples)
        if family.name.endswith("_info"):
            assert {sample.value for sample in family.samples} == {1.0}
        for sample in family.samples:
            assert "" not in sample.labels.values()
    assert series(text)


def test_promtool_has_nothing_to_say() -> None:
    tool = shutil.which("promtool") or absent("promtool is not installed")
    for name in NAMES:
        text = render_prometheus(host_of(name))
        done = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_sizes_are_bytes_and_pages_carry_their_size() -> None:
    host = host_of("x86_64-uneven-hugepages")
    found = series(render_prometheus(host))
    assert value(found, "memory_total_bytes") == host.memory.total_bytes
    assert value(found, "hugepages", page_size_bytes="2097152") == 512
    assert value(found, "hugepages_free", page_size_bytes="2097152") == 100
    assert value(found, "hugepages_reserved", page_size_bytes="2097152") == 40
    assert value(found, "hugepages_surplus", page_size_bytes="2097152") == 12
    assert value(found, "node_hugepages_free", node="1", page_size_bytes="1073741824") == 3
    node = host.numa.node(1)
    assert value(found, "node_memory_total_bytes", node="1", memory_kind="dram") == node.memory_total_bytes
    assert value(found, "node_distance", node="0", to_node="1") == (host.numa.node(0).distances or {})[1]


def test_cpus_are_counted_by_set() -> None:
    cpu = host_of("x86_64-offline-cpus").cpu
    found = series(render_prometheus(host_of("x86_64-offline-cpus")))
    assert value(found, "cpus", state="online") == len(cpu.online)
    assert value(found, "cpus", state="offline") == len(cpu.offline) > 0
    assert value(found, "cpu_cores") == cpu.cores
    assert value(found, "cpu_sockets") == cpu.sockets


def test_caches_are_counted_once_and_summed() -> None:
    host = host_of("x86_64-two-sockets")
    found = series(render_prometheus(host))
    largest = [cache for cache in host.cpu.caches or () if cache.level == 3]
    assert value(found, "cpu_caches", level="3", type="unified") == len(largest) == 2
    assert value(found, "cpu_caches_bytes", level="3", type="unified") == sum(c.size_bytes or 0 for c in largest)


def test_devices_are_counted_by_kind_and_node() -> None:
    host = host_of("x86_64-pci")
    found = series(render_prometheus(host))
    assert host.pci
    for device in host.pci:
        labels = {"kind": device.kind or "other"} | ({} if device.node is None else {"node": str(device.node)})
        alike = [d for d in host.pci if (d.kind, d.node) == (device.kind, device.node)]
        assert value(found, "pci_devices", **labels) == len(alike)
    functions = [device for device in host.pci if device.sriov == "pf"]
    total = sum(number for key, number in found.items() if key[0].endswith("sriov_virtual_functions_limit"))
    assert total == sum(device.sriov_total_vfs or 0 for device in functions) > 0


def test_warnings_are_counted_by_code() -> None:
    warned = replace(
        host_of("x86_64-plain"),
        warnings=(
            HostWarning(code="source-unreadable", message="a"),
            HostWarning(code="source-unreadable", message="b"),
            HostWarning(code="text-unparsable", message="c"),
        ),
    )
    found = series(render_prometheus(warned))
    assert value(found, "warnings", code="source-unreadable") == 2
    assert value(found, "warnings", code="text-unparsable") == 1


def test_what_is_not_known_has_no_series() -> None:
    found = series(render_prometheus(host_of("x86_64-no-meminfo")))
    assert not any("memory_total" in name and "node" not in name for name, _ in found)
    synthetic = series(render_prometheus(host_of("x86_64-no-numa")))
    assert value(synthetic, "numa_nodes") is None
    assert value(synthetic, "node_cpus", node="0") is not None


def test_labels_are_escaped() -> None:
    host = host_of("x86_64-plain")
    odd = 'a "quoted" \\ name\nof two lines }'
    found = series(render_prometheus(replace(host, hostname=odd)))
    assert [dict(labels)["hostname"] for name, labels in found if name.endswith("system_info")] == [odd]


class TestAnyFamilies:
    """The writer on its own, for the numbers of other programs."""

    def test_names_and_types_are_the_callers(self) -> None:
        families = [
            Family("agent_up", "Whether it runs.", [Sample(True)]),
            Family(
                "agent_jobs_total", "Jobs that ended.", [Sample(3, {"job": "a"}), Sample(0, {"job": "b"})], "counter"
            ),
        ]
        assert prometheus_text(families) == (
            "# HELP agent_up Whether it runs.\n# TYPE agent_up gauge\nagent_up 1\n"
            "# HELP agent_jobs_total Jobs that ended.\n# TYPE agent_jobs_total counter\n"
            'agent_jobs_total{job="a"} 3\nagent_jobs_total{job="b"} 0\n'
        )
        assert [family.type for family in text_string_to_metric_families(prometheus_text(families))] == [
            "gauge",
            "counter",
        ]

    def test_a_sample_or_family_without_a_value_is_left_out(self) -> None:
        families = [
            Family("unknown", "Nobody knows.", [Sample(None)]),
            Family("empty", "There are none.", []),
            Family("known", "One of two.", [Sample(None, {"of": "1"}), Sample(0.5, {"of": "2", "note": None})]),
        ]
        assert series(prometheus_text(families)) == {("known", frozenset({("of", "2")})): 0.5}

    def test_text_of_a_person_is_escaped(self) -> None:
        family = Family("odd", 'Two\nlines \\ and "quotes".', [Sample(1, {"detail": 'a "b"\nc \\'})])
        (read,) = text_string_to_metric_families(prometheus_text([family]))
        assert read.documentation == family.meaning
        assert read.samples[0].labels == {"detail": 'a "b"\nc \\'}

    def test_no_families_are_no_text(self) -> None:
        assert prometheus_text([]) == ""


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("Not affected", "not affected"),
        ("Mitigation: PTI", "mitigation"),
        ("Vulnerable: Clear CPU buffers attempted, no microcode; SMT Host state unknown", "vulnerable"),
        ("Mitigation: Enhanced IBRS; PBRSB-eIBRS: Not affected; BHI: Vulnerable", "mitigation"),
        ("KVM: Mitigation: VMX disabled", "mitigation"),
        ("Mitigation: PTE Inversion; VMX: vulnerable", "vulnerable"),
        ("Processor vulnerable", "vulnerable"),
        ("Unknown: No mitigations", "unknown"),
        ("Dependent on hypervisor status", "unknown"),
    ],
)
def test_a_vulnerability_is_what_its_text_begins_with(text: str, state: str) -> None:
    host = host_of("x86_64-plain")
    found = series(render_prometheus(replace(host, cpu=replace(host.cpu, vulnerabilities={"mds": text}))))
    assert value(found, "cpu_vulnerability_info", vulnerability="mds", state=state, detail=text) == 1


def test_a_large_machine_has_no_series_for_each_cpu() -> None:
    small, large = host_of("x86_64-one-node-guest"), host_of("x86_64-four-nodes-per-socket")
    per_node = len(series(render_prometheus(large))) - len(series(render_prometheus(small)))
    assert per_node < 12 * len(large.numa.nodes) + len(large.numa.nodes) ** 2
    assert not any("cpu" in dict(labels) for _, labels in series(render_prometheus(large)))


def test_the_command_writes_it(os_capability: Run, machine: Path) -> None:
    done = os_capability("show", "-f", "prometheus", "--root", str(machine))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("# HELP os_capability_")
    assert not done.stdout.endswith("\n\n")
    assert series(done.stdout)


def test_the_command_has_no_fields_there(os_capability: Run, machine: Path) -> None:
    done = os_capability("show", "-f", "prometheus", "-c", "cpu.online", "--root", str(machine))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
