# SPDX-License-Identifier: Apache-2.0
"""What every driver promises, whatever its system: on this machine, on captured ones, on recorded answers."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import psutil
import pytest

from os_capability import CpuSet, Host, HostDriver, MachineIdentity
from os_capability.darwin.driver import DarwinDriver
from os_capability.freebsd.driver import FreebsdDriver
from os_capability.generic.driver import GenericDriver
from os_capability.linux.driver import LinuxDriver
from os_capability.pycpuinfo import CpuName
from os_capability.windows.driver import WindowsDriver
from tests.os_capability.recorded import FREEBSDS, MACS, RecordedPrograms
from tests.os_capability.windows import recorded as windows

TOP = Path(__file__).resolve().parents[2]
HOSTS = sorted((TOP / "tests" / "hosts").glob("*/root"))

Factory = Callable[[], HostDriver]


def of_linux(root: Path) -> Factory:
    return lambda: LinuxDriver(str(root), "sysfs")


def of_mac(folder: Path) -> Factory:
    return lambda: DarwinDriver(RecordedPrograms(folder))


def of_freebsd(folder: Path) -> Factory:
    return lambda: FreebsdDriver(RecordedPrograms(folder))


def of_windows(machine: Callable[[], windows.RecordedWindows]) -> Factory:
    return lambda: WindowsDriver(machine())


def unnamed() -> CpuName:
    return CpuName(None, None, None)


DRIVERS: dict[str, Factory] = {
    "linux-live": lambda: LinuxDriver("/"),
    "generic-live": lambda: GenericDriver(unnamed),
    **{f"linux-{root.parent.name}": of_linux(root) for root in HOSTS},
    **{f"darwin-{folder.name}": of_mac(folder) for folder in MACS},
    **{f"freebsd-{folder.name}": of_freebsd(folder) for folder in FREEBSDS},
    **{f"windows-{name}": of_windows(machine) for name, machine in windows.ALL.items()},
}


def test_every_driver_is_here() -> None:
    here = {name.partition("-")[0] for name in DRIVERS}
    assert here == {path.parent.name for path in (TOP / "os_capability").glob("*/driver.py")}


@pytest.fixture(params=list(DRIVERS), scope="module")
def driver(request: pytest.FixtureRequest) -> HostDriver:
    return DRIVERS[request.param]()


@pytest.fixture(scope="module")
def host(driver: HostDriver) -> Host:
    return driver.collect()


class TestAHost:
    """One collection."""

    def test_it_comes_back_from_its_document(self, host: Host) -> None:
        assert Host.from_dict(json.loads(json.dumps(host.to_dict()))) == host

    def test_it_was_collected_now_to_the_second(self, host: Host) -> None:
        assert host.collected_at.microsecond == 0
        assert abs((datetime.now(timezone.utc) - host.collected_at).total_seconds()) < 120

    def test_the_processors_are_the_cpus_present_each_once_in_order(self, host: Host) -> None:
        ids = [processor.id for processor in host.cpu.processors]
        assert ids == sorted(set(ids))
        assert CpuSet(ids) == host.cpu.present

    def test_online_offline_present_and_possible_fit_together(self, host: Host) -> None:
        cpu = host.cpu
        assert cpu.online
        assert CpuSet(processor.id for processor in cpu.processors if processor.online) == cpu.online
        assert cpu.offline == cpu.present - cpu.online
        assert cpu.online <= cpu.present
        assert cpu.possible is None or cpu.present <= cpu.possible

    def test_counts_are_counted(self, host: Host) -> None:
        online = [processor for processor in host.cpu.processors if processor.online]
        assert host.cpu.threads == len(online)
        cores, sockets = {p.core for p in online}, {p.socket for p in online}
        assert None in cores or host.cpu.cores == len(cores)
        assert None in sockets or host.cpu.sockets == len(sockets)
        assert host.cpu.cores is None or 0 < host.cpu.cores <= host.cpu.threads
        assert host.cpu.sockets is None or 0 < host.cpu.sockets <= host.cpu.threads

    def test_cores_are_known_of_all_online_cpus_or_of_none(self, host: Host) -> None:
        cores = {processor.core for processor in host.cpu.processors if processor.online}
        assert cores == {None} or None not in cores
        assert {p.core for p in host.cpu.processors if not p.online} <= {None}

    def test_the_kinds_part_the_online_cpus(self, host: Host) -> None:
        assert len(host.cpu.kinds) != 1
        for kind in host.cpu.kinds:
            assert kind.cpus == CpuSet(p.id for p in host.cpu.processors if p.online and p.kind == kind.name)
            assert kind.cpus
        counted = sum(len(kind.cpus) for kind in host.cpu.kinds)
        assert counted == (host.cpu.threads if host.cpu.kinds else 0)

    def test_caches_are_of_online_cpus_and_have_a_size_or_none_at_all(self, host: Host) -> None:
        assert host.cpu.caches is None or host.cpu.caches
        for cache in host.cpu.caches or ():
            assert cache.type in ("Data", "Instruction", "Unified")
            assert cache.shared_cpus
            assert cache.shared_cpus <= host.cpu.online
            assert cache.size_bytes is None or 1 << 10 <= cache.size_bytes <= 1 << 32

    def test_the_nodes_hold_online_cpus_and_the_processors_agree(self, host: Host) -> None:
        ids = [node.id for node in host.numa.nodes]
        assert ids == sorted(set(ids))
        assert ids
        assert all(node.cpus <= host.cpu.online for node in host.numa.nodes)
        for processor in host.cpu.processors:
            if processor.online and processor.node is not None:
                assert processor.id in host.numa.node(processor.node).cpus

    def test_a_synthetic_node_is_the_whole_machine(self, host: Host) -> None:
        if host.numa.synthetic:
            (node,) = host.numa.nodes
            assert (node.id, node.cpus, node.distances) == (0, host.cpu.online, None)
            assert (node.memory_total_bytes, node.memory_free_bytes) == (
                host.memory.total_bytes,
                host.memory.free_bytes,
            )

    def test_a_node_with_memory_has_a_kind_and_evidence(self, host: Host) -> None:
        for node in host.numa.nodes:
            assert node.memory_kind in ("dram", "hbm", "cxl", "gpu", "unknown", None)
            assert node.memory_kind is not None or not (node.memory_total_bytes or node.memory_free_bytes)
            assert (node.memory_kind is None) == (node.memory_kind_evidence is None)

    def test_distances_name_the_nodes_and_the_own_is_the_shortest(self, host: Host) -> None:
        for node in host.numa.nodes:
            if node.distances is not None:
                assert set(node.distances) == {other.id for other in host.numa.nodes}
                assert node.distances[node.id] == min(node.distances.values()) > 0

    def test_sizes_are_plausible_bytes(self, host: Host) -> None:
        memory = host.memory
        if memory.total_bytes is None:
            return
        assert 1 << 26 <= memory.total_bytes <= 1 << 50
        for part in (memory.free_bytes, memory.available_bytes, memory.buffers_bytes, memory.cached_bytes):
            assert part is None or 0 <= part <= memory.total_bytes
        if memory.swap_total_bytes is not None and memory.swap_free_bytes is not None:
            assert 0 <= memory.swap_free_bytes <= memory.swap_total_bytes
        totals = [node.memory_total_bytes for node in host.numa.nodes if node.memory_total_bytes is not None]
        # What the kernel keeps for itself is part of a node's memory on some systems.
        assert not totals or sum(totals) <= memory.total_bytes * 1.05

    def test_an_estimate_is_said_to_be_one_only_where_there_is_a_number(self, host: Host) -> None:
        assert host.memory.available_bytes is not None or not host.memory.available_estimated

    def test_unknown_is_none_and_never_blank(self, host: Host) -> None:
        assert list(blank(host.to_dict(), "")) == []

    def test_flags_come_once(self, host: Host) -> None:
        flags = host.cpu.flags or ()
        assert len(flags) == len(set(flags))
        assert host.cpu.flags != ()

    def test_a_containers_view_has_its_evidence(self, host: Host) -> None:
        assert host.system.view in ("host", "container")
        assert (host.system.view == "container") == (host.system.view_evidence is not None)
        assert (host.system.view == "container") == any(w.code == "container-view" for w in host.warnings)

    def test_each_warning_comes_once_in_one_line(self, host: Host) -> None:
        assert len(set(host.warnings)) == len(host.warnings)
        assert all(warning.code and "\n" not in warning.message for warning in host.warnings)


class TestWhoItIs:
    """To identify a machine."""

    def test_it_is_what_a_collection_says(self, driver: HostDriver, host: Host) -> None:
        told = MachineIdentity(
            hostname=host.hostname,
            machine_id=host.machine_id,
            product_uuid=host.product_uuid,
            boot_id=host.boot_id,
        )
        assert driver.identify() == told

    def test_ids_are_spelled_as_their_system_does_and_a_product_uuid_in_lower_case(self, driver: HostDriver) -> None:
        product_uuid = driver.identify().product_uuid
        assert product_uuid is None or str(uuid.UUID(product_uuid)) == product_uuid


def test_somebody_has_each_part_of_an_identity() -> None:
    identities = [make().identify() for make in DRIVERS.values()]
    for field in dataclasses.fields(MachineIdentity):
        assert any(getattr(identity, field.name) for identity in identities), field.name


LOOKING = """
import sys
seen = []
sys.path.insert(0, sys.argv[1])
from os_capability.linux.driver import LinuxDriver
driver = LinuxDriver("/")
sys.addaudithook(lambda event, args: seen.append(event))
driver.identify()
print(*seen)
"""


def test_linux_identifies_itself_by_four_files_and_no_program() -> None:
    done = subprocess.run([sys.executable, "-c", LOOKING, str(TOP)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["open"] * 4


CPU_SETS = {*("affinity", "cpus", "isolated", "nohz_full", "offline", "online", "possible", "present", "shared_cpus")}


def blank(part: object, path: str) -> list[str]:
    """Give the paths of texts that say nothing, and of numbers below zero; an empty CPU set is the text ""."""
    if isinstance(part, dict):
        return [line for key, value in part.items() for line in blank(value, f"{path}.{key}")]
    if isinstance(part, list):
        return [line for at, value in enumerate(part) for line in blank(value, f"{path}[{at}]")]
    name = path.rpartition(".")[2]
    may_be_empty = name in CPU_SETS or (name == "memory_kind" and part == "unknown")
    says_nothing = isinstance(part, str) and not may_be_empty and part.strip("- \0").lower() in ("", "unknown", "none")
    return [path] if says_nothing or (isinstance(part, int | float) and part < 0) else []


class TestRefresh:
    """A refresh of what was just collected."""

    def test_the_topology_stays_the_same_object(self, driver: HostDriver, host: Host) -> None:
        after = driver.refresh(host)
        assert after.cpu is host.cpu
        assert [node.cpus for node in after.numa.nodes] == [node.cpus for node in host.numa.nodes]
        assert after.numa.synthetic == host.numa.synthetic

    def test_it_reads_what_moves(self, driver: HostDriver, host: Host) -> None:
        past = replace(
            host,
            collected_at=datetime(2000, 1, 1, tzinfo=timezone.utc),
            memory=replace(host.memory, available_bytes=1, free_bytes=1),
        )
        after = driver.refresh(past)
        assert after.collected_at > past.collected_at
        # Where a machine does not tell, the number from before must not stay.
        assert 1 not in (after.memory.free_bytes, after.memory.available_bytes)

    def test_lasting_facts_stay(self, driver: HostDriver, host: Host) -> None:
        after = driver.refresh(host)
        lasting = ("hostname", "machine_id", "product_uuid", "boot_id", "pci", "warnings")
        assert [getattr(after, name) for name in lasting] == [getattr(host, name) for name in lasting]
        assert (after.system.os, after.system.kernel) == (host.system.os, host.system.kernel)
        assert after.memory.total_bytes == host.memory.total_bytes

    def test_a_machine_with_other_cpus_is_collected_whole(self, driver: HostDriver, host: Host) -> None:
        fewer = host.cpu.online - CpuSet([host.cpu.online.first()])
        then = replace(host, cpu=replace(host.cpu, online=fewer, present=fewer, possible=fewer))
        if not fewer:
            pytest.skip("a machine of one CPU has none less")
        assert driver.refresh(then).cpu == host.cpu


@pytest.mark.parametrize("name", ["linux-live", "generic-live"])
def test_no_process_is_left(name: str) -> None:
    before = psutil.Process().children()
    DRIVERS[name]().collect()
    assert psutil.Process().children() == before


@pytest.mark.parametrize("system", ["darwin", "freebsd", "generic", "linux", "windows"])
def test_importing_a_driver_loads_no_package_and_nothing_of_another_system(system: str) -> None:
    code = f"import sys, os_capability.{system}.driver; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=TOP, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert f"os_capability.{system}.driver" in loaded
    assert loaded.isdisjoint({"psutil", "cpuinfo", "winreg"})
    others = {"darwin", "freebsd", "generic", "linux", "windows"} - {system}
    assert loaded.isdisjoint({f"os_capability.{other}" for other in others})
