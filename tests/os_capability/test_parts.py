# SPDX-License-Identifier: Apache-2.0
"""How long the parts of a reading took: told by name, each once, whether it went well or not."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from os_capability import CpuSet, HostDriver, OsCapabilityError, SourceUnreadable, load_driver
from os_capability.freebsd.driver import FreebsdDriver
from os_capability.parts import TimedDriver, timed
from tests.os_capability.conftest import SOURCE_TREE
from tests.os_capability.recorded import FREEBSDS, RecordedPrograms

LIBRARY_PAGE = SOURCE_TREE / "docs" / "library.md"
OF_A_COLLECTION = ["topology", "memory", "system", "cpu", "numa", "limits", "pci"]


class Told:
    """Remembers the parts it was told of."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, bool]] = []

    def __call__(self, part: str, seconds: float, succeeded: bool) -> None:
        assert seconds >= 0
        self.parts.append((part, succeeded))

    def names(self) -> list[str]:
        return [name for name, _ in self.parts]


@pytest.fixture
def told() -> Told:
    return Told()


class TestLinux:
    def test_a_collection_has_its_parts_in_order(self, told: Told) -> None:
        load_driver(on_part=told).collect()
        assert told.parts == [(name, True) for name in OF_A_COLLECTION]

    def test_a_refresh_is_one_part(self, told: Told, machine: Path) -> None:
        host = load_driver(str(machine), "sysfs").collect()
        load_driver(str(machine), "sysfs", told).refresh(host)
        assert told.parts == [("refresh", True)]

    def test_a_refresh_that_collects_anew_ends_with_its_own_part(self, told: Told, machine: Path) -> None:
        host = load_driver(str(machine), "sysfs").collect()
        fewer = host.cpu.online - CpuSet([0])
        load_driver(str(machine), "sysfs", told).refresh(replace(host, cpu=replace(host.cpu, online=fewer)))
        assert told.names() == [*OF_A_COLLECTION, "refresh"]

    def test_the_part_that_fails_is_the_last(self, told: Told, machine: Path) -> None:
        shutil.rmtree(machine / "sys/devices/system/cpu")
        (machine / "proc/cpuinfo").unlink()
        (machine / "proc/stat").unlink()
        with pytest.raises(OsCapabilityError):
            load_driver(str(machine), "sysfs", told).collect()
        assert told.parts == [("topology", False)]

    def test_to_identify_is_no_part(self, told: Told) -> None:
        load_driver(on_part=told).identify()
        assert told.parts == []


class TestAnyOtherSystem:
    @pytest.fixture
    def recorded(self) -> RecordedPrograms:
        return RecordedPrograms(FREEBSDS[0])

    def test_a_collection_and_a_refresh_are_a_part_each(self, told: Told, recorded: RecordedPrograms) -> None:
        driver: HostDriver = TimedDriver(FreebsdDriver(recorded), told)
        host = driver.collect()
        driver.refresh(host)
        assert driver.identify().hostname == host.hostname
        assert told.parts == [("machine", True), ("refresh", True)]

    def test_a_failure_is_told_and_goes_on(self, told: Told, recorded: RecordedPrograms) -> None:
        recorded.answers.pop("sysctl")
        with pytest.raises(SourceUnreadable):
            TimedDriver(FreebsdDriver(recorded), told).collect()
        assert told.parts == [("machine", False)]


def test_where_nobody_asks_nothing_is_told() -> None:
    with timed("cpu", None):
        pass
    with pytest.raises(KeyError), timed("cpu", None):
        raise KeyError("what the block raises goes on")


def test_the_page_names_every_part() -> None:
    page = LIBRARY_PAGE.read_text()
    assert [name for name in (*OF_A_COLLECTION, "machine", "refresh") if f"`{name}`" not in page] == []
