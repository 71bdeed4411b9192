# SPDX-License-Identifier: Apache-2.0
"""LinuxDriver on whole trees and on this very machine: faults, fallbacks, refresh."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import psutil
import pytest

from os_capability import CpuSet, Host, OsCapabilityError, SourceUnreadable, UnparsableText, collect, refresh
from os_capability.linux import paths
from tests.os_capability.conftest import Run

CPU = "sys/devices/system/cpu"
NODE = "sys/devices/system/node"


def codes(host: Host) -> set[str]:
    return {warning.code for warning in host.warnings}


def without_warnings(host: Host) -> Host:
    return replace(host, warnings=(), collected_at=datetime(2000, 1, 1, tzinfo=timezone.utc))


def fake_lscpu(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "lscpu").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "lscpu").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


class TestLscpuFaults:
    """With a bad lscpu the facts are the same, from sysfs, and a warning says so."""

    @pytest.mark.parametrize(
        "script",
        [
            pytest.param("sleep 300", id="hangs"),
            pytest.param("head -c 300000 /dev/urandom", id="garbage"),
            pytest.param("for i in 0 1 2 3; do echo $i,$i,0,,,0,O; done", id="French"),
            pytest.param("exit 1", id="fails"),
            pytest.param("kill -SEGV $$", id="crashes"),
            pytest.param("exit 0", id="says nothing"),
        ],
    )
    def test_auto_gives_what_sysfs_gives_and_warns(
        self, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
    ) -> None:
        fake_lscpu(tmp_path / "bin", script, monkeypatch)
        host = collect(str(machine))
        assert without_warnings(host) == without_warnings(collect(str(machine), "sysfs"))
        assert codes(host) == {"lscpu-unavailable"}

    def test_without_lscpu_too(self, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        host = collect(str(machine))
        assert without_warnings(host) == without_warnings(collect(str(machine), "sysfs"))
        assert codes(host) == {"lscpu-unavailable"}

    def test_an_lscpu_that_says_otherwise_is_named_and_not_believed(
        self, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        online = collect(str(machine), "sysfs").cpu.online
        fake_lscpu(tmp_path / "bin", "\n".join(f"echo {cpu},0,0,,,0,Y" for cpu in online), monkeypatch)
        host = collect(str(machine))
        assert without_warnings(host) == without_warnings(collect(str(machine), "sysfs"))
        assert codes(host) == {"topology-disagreement"}

    def test_an_explicit_source_never_falls_back(
        self, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fake_lscpu(tmp_path / "bin", "exit 1", monkeypatch)
        with pytest.raises(SourceUnreadable, match="exit 1"):
            collect(str(machine), "lscpu")
        fake_lscpu(tmp_path / "bin2", "echo rubbish", monkeypatch)
        with pytest.raises(UnparsableText, match="not the columns"):
            collect(str(machine), "lscpu")

    def test_lscpu_names_the_model_where_no_file_does(
        self, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (machine / "proc" / "cpuinfo").write_text("processor: 0\nCPU implementer: 0x41\nCPU part: 0xfff\n")
        fake_lscpu(tmp_path / "bin", 'echo "Model name:  Cortex-New"', monkeypatch)
        assert collect(str(machine)).cpu.model == "Cortex-New"
        assert collect(str(machine), "sysfs").cpu.model == "0xfff"


class TestCapturedFaults:
    """What a captured machine lacks is null and a warning; everything else is right."""

    @pytest.mark.parametrize(
        ("damage", "code"),
        [
            pytest.param(lambda path: path.unlink(), "source-missing", id="missing"),
            pytest.param(lambda path: path.write_text(""), "source-unreadable", id="empty"),
            pytest.param(lambda path: (path.unlink(), path.mkdir()), "source-unreadable", id="a folder in its place"),
            pytest.param(lambda path: path.write_text("MemFree: 1 kB\n"), "text-unparsable", id="without MemTotal"),
            pytest.param(lambda path: path.write_text("MemTotal: much\n"), "text-unparsable", id="words for numbers"),
        ],
    )
    def test_a_bad_meminfo_makes_the_memory_unknown(self, machine: Path, damage: object, code: str) -> None:
        before = collect(str(machine), "sysfs")
        damage(machine / "proc" / "meminfo")  # type: ignore[operator]
        host = collect(str(machine), "sysfs")
        assert code in codes(host)
        memory = host.memory
        assert {memory.total_bytes, memory.free_bytes, memory.available_bytes, memory.swap_free_bytes} == {None}
        assert (host.cpu, host.numa) == (before.cpu, before.numa)

    @pytest.mark.parametrize("path", ["proc/loadavg", "proc/uptime", "etc/os-release", "proc/sys/kernel/osrelease"])
    @pytest.mark.parametrize("text", [b"", b"\0\1\2 garbage\n\xff\n" * 9])
    def test_garbage_in_a_small_file_is_null_and_a_warning(self, machine: Path, path: str, text: bytes) -> None:
        (machine / path).write_bytes(text)
        system = collect(str(machine), "sysfs").system
        assert None in (system.load_average, system.uptime_seconds, system.os, system.kernel)
        if text or path != "proc/sys/kernel/osrelease":
            assert any(w.code == "text-unparsable" and path in w.message for w in collect(str(machine)).warnings)

    def test_a_limit_that_nobody_understands_is_not_taken_for_none(self, machine: Path) -> None:
        limit = next((machine / "sys/fs/cgroup").rglob("memory.max"))
        limit.write_text("plenty\n")
        host = collect(str(machine), "sysfs")
        assert host.limits.memory_bytes is None
        assert any(str(limit) in warning.message for warning in host.warnings)

    def test_cpus_online_that_are_not_present_contradict_and_are_both_kept(self, machine: Path) -> None:
        (machine / CPU / "present").write_text("0-5\n")
        host = collect(str(machine), "sysfs")
        assert (str(host.cpu.present), str(host.cpu.online)) == ("0-7", "0-7")
        assert codes(host) == {"cpu-sets-contradict"}
        assert refresh(host, str(machine)).cpu is host.cpu, "the file is as it was"

    def test_a_tree_full_of_fifos_is_read_to_its_end(self, machine: Path) -> None:
        for path in ("proc/loadavg", "proc/uptime", f"{CPU}/cpu0/topology/core_id", f"{NODE}/node0/distance"):
            (machine / path).unlink()
            os.mkfifo(machine / path)
        host = collect(str(machine), "sysfs")
        assert (host.system.load_average, host.system.uptime_seconds, host.numa.node(0).distances) == (None, None, None)
        assert codes(host) == {"source-unreadable"}

    @pytest.mark.parametrize("path", ["proc/cpuinfo", f"{NODE}/node0/meminfo"])
    def test_garbage_is_unknown_and_a_warning_that_names_the_file(self, machine: Path, path: str) -> None:
        (machine / path).write_bytes(bytes(range(1, 256)) * 4)
        host = collect(str(machine), "sysfs")
        assert any(w.code == "text-unparsable" and path in w.message for w in host.warnings)
        assert None in (host.cpu.model, host.numa.node(0).memory_total_bytes)

    def test_a_bad_number_in_sysfs_is_null_and_a_warning_that_names_the_file(self, machine: Path) -> None:
        pool = next((machine / "sys/kernel/mm/hugepages").iterdir())
        (pool / "free_hugepages").write_text("9" * 30)
        host = collect(str(machine), "sysfs")
        assert None in {pages.free for pages in host.memory.hugepages or ()}
        assert any(str(pool / "free_hugepages") in warning.message for warning in host.warnings)

    def test_with_no_cpu_anywhere_there_is_no_machine(self, machine: Path) -> None:
        shutil.rmtree(machine / CPU)
        (machine / "proc" / "cpuinfo").unlink()
        (machine / "proc" / "stat").unlink(missing_ok=True)
        with pytest.raises(SourceUnreadable, match="tells of any CPU"):
            collect(str(machine), "sysfs")

    def test_a_cache_that_the_first_cpu_has_no_part_in_is_found(self, machine: Path) -> None:
        before = collect(str(machine), "sysfs").cpu.caches or ()
        last_level = max(before, key=lambda cache: cache.level)
        first = last_level.shared_cpus.first()
        for folder in (machine / CPU / f"cpu{first}" / "cache").glob("index*"):
            if (folder / "level").read_text().strip() == str(last_level.level):
                shutil.rmtree(folder)
        after = collect(str(machine), "sysfs").cpu.caches or ()
        assert [(cache.level, cache.type, cache.size_bytes) for cache in after] == [
            (cache.level, cache.type, cache.size_bytes) for cache in before
        ]

    @pytest.mark.parametrize("text", ["0-99999999999\n", "zero\n", "3-1\n"])
    def test_nonsense_for_the_online_cpus_falls_back_on_the_folders(self, machine: Path, text: str) -> None:
        expected = collect(str(machine), "sysfs").cpu.online
        (machine / CPU / "online").write_text(text)
        host = collect(str(machine), "sysfs")
        assert host.cpu.online == expected
        assert "text-unparsable" in codes(host)


class TestThisMachine:
    """The live machine, against readers that are not ours."""

    def test_counts_and_memory_are_psutils(self) -> None:
        host = collect()
        assert host.cpu.threads == psutil.cpu_count(logical=True)
        assert host.cpu.cores in (psutil.cpu_count(logical=False), None)
        assert host.memory.total_bytes == psutil.virtual_memory().total
        assert host.memory.available_bytes == pytest.approx(psutil.virtual_memory().available, rel=0.1)
        assert host.limits.affinity == CpuSet(psutil.Process().cpu_affinity())
        assert host.system.boot_time is not None
        assert host.system.boot_time.timestamp() == pytest.approx(psutil.boot_time(), abs=2)

    @pytest.mark.skipif(shutil.which("lscpu") is None, reason="there is no lscpu here to ask")
    def test_the_processors_are_lscpus(self) -> None:
        answer = subprocess.run(
            ["lscpu", "-J", "--extended=CPU,NODE,SOCKET,CORE"],
            capture_output=True,
            check=True,
            env={**os.environ, "LC_ALL": "C"},
        )
        theirs = json.loads(answer.stdout)["cpus"]
        ours = collect(source="sysfs")
        assert {int(row["cpu"]) for row in theirs} == set(ours.cpu.online)
        assert len({row["core"] for row in theirs}) == ours.cpu.cores
        nodes = {int(row["cpu"]): int(row["node"]) for row in theirs if str(row.get("node")).isdigit()}
        assert nodes == {p.id: p.node for p in ours.cpu.processors if p.id in nodes}

    def test_both_sources_agree(self) -> None:
        auto, sysfs = collect(), collect(source="sysfs")
        assert (auto.cpu.processors, auto.cpu.cores, auto.cpu.sockets) == (
            sysfs.cpu.processors,
            sysfs.cpu.cores,
            sysfs.cpu.sockets,
        )

    def test_a_refresh_keeps_the_topology(self) -> None:
        before = collect(source="sysfs")
        assert refresh(before).cpu is before.cpu


class TestProductUuid:
    """The kernel shows it to root alone."""

    @pytest.fixture
    def known(self, machine: Path) -> Path:
        path = machine / paths.PRODUCT_UUID
        path.parent.mkdir(parents=True)
        path.write_text("3D3E5C9A-11AA-4B1C-9F00-2B7F6D2F9A10\n")
        return machine

    def test_root_has_it(self, known: Path) -> None:
        assert collect(str(known), "sysfs").product_uuid == "3d3e5c9a-11aa-4b1c-9f00-2b7f6d2f9a10"

    def test_whoever_may_not_read_it_does_without_and_is_not_warned(self, known: Path, os_capability: Run) -> None:
        (known / paths.PRODUCT_UUID).chmod(0)
        unprivileged = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
        done = os_capability("show", "-f", "json", "--root", str(known), "--source", "sysfs", before=unprivileged)
        document = json.loads(done.stdout)
        assert (done.stderr, document["product_uuid"], document["warnings"]) == ("", None, [])
        assert document["machine_id"] is not None

    def test_only_that_file_is_roots(self) -> None:
        assert frozenset({paths.PRODUCT_UUID}) == paths.ROOT_ONLY

    def test_what_is_no_uuid_is_unknown_with_a_warning(self, known: Path) -> None:
        (known / paths.PRODUCT_UUID).write_text("To be filled by O.E.M.\n")
        host = collect(str(known), "sysfs")
        assert (host.product_uuid, codes(host)) == (None, {"text-unparsable"})


@pytest.mark.parametrize("source", ["", "sysfs ", "lshw"])
def test_an_unknown_source_names_those_there_are(source: str) -> None:
    with pytest.raises(ValueError, match="auto, lscpu, sysfs"):
        collect("/", source)


def test_every_error_of_ours_is_one_line() -> None:
    with pytest.raises(OsCapabilityError) as raised:
        collect("/nowhere")
    assert "\n" not in str(raised.value)
