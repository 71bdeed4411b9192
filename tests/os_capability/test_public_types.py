# SPDX-License-Identifier: Apache-2.0
"""The types a user of the library gets: `make check` holds them, and the test below that they are true."""

from __future__ import annotations

import inspect
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import os_capability
from os_capability import CpuSet, Host, HostDriver, NumaTopology
from os_capability.insight.check import Hazard, check
from os_capability.insight.diff import Change, diff
from os_capability.insight.fit import Demand, Fit, fit
from os_capability.insight.traits import traits
from os_capability.model import Memory, NumaNode, PciDevice, Processor

PAGE = Path(__file__).resolve().parents[2] / "docs" / "library.md"

if TYPE_CHECKING:
    from typing_extensions import assert_type


def what_a_type_checker_sees(host: Host, driver: HostDriver, cpus: CpuSet) -> None:
    """Never called: a type checker reads it."""
    assert_type(os_capability.collect(), Host)
    assert_type(os_capability.collect("/mnt", source="sysfs"), Host)
    assert_type(os_capability.refresh(host, root="/"), Host)
    assert_type(os_capability.load_driver(), HostDriver)
    assert_type(driver.refresh(driver.collect()), Host)
    assert_type(host.collected_at, datetime)
    assert_type(host.cpu.online, CpuSet)
    assert_type(host.cpu.isolated, CpuSet | None)
    assert_type(host.cpu.processors, tuple[Processor, ...])
    assert_type(host.memory, Memory)
    assert_type(host.memory.total_bytes, int | None)
    assert_type(host.numa, NumaTopology)
    assert_type(host.numa.node(0), NumaNode)
    assert_type(host.pci, tuple[PciDevice, ...] | None)
    assert_type(Host.from_dict(host.to_dict()), Host)
    assert_type(cpus | cpus, CpuSet)
    assert_type(list(cpus), list[int])
    assert_type(check(host), tuple[Hazard, ...])
    assert_type(diff(host, host), tuple[Change, ...])
    assert_type(fit(host, Demand(vcpus=1)), Fit)
    assert_type(traits(host), tuple[str, ...])


@pytest.mark.parametrize("name", os_capability.__all__)
def test_a_public_name_is_there_and_says_what_it_is(name: str) -> None:
    assert inspect.getdoc(getattr(os_capability, name))


@pytest.mark.parametrize("name", os_capability.__all__)
def test_a_public_name_is_on_the_page(name: str) -> None:
    assert name in PAGE.read_text()
