# SPDX-License-Identifier: Apache-2.0
"""GenericDriver on this very machine, beside psutil and the driver of its system."""

from __future__ import annotations

import sys

import psutil
import pytest

from os_capability import CpuSet, collect
from os_capability.generic.driver import GenericDriver
from os_capability.pycpuinfo import CpuName, ask_py_cpuinfo


def unnamed() -> CpuName:
    return CpuName(None, None, None)


def test_it_says_what_psutil_says() -> None:
    host = GenericDriver(unnamed).collect()
    assert host.cpu.threads == psutil.cpu_count()
    assert host.cpu.cores == psutil.cpu_count(logical=False)
    assert host.memory.total_bytes == psutil.virtual_memory().total
    assert host.limits.affinity == CpuSet(psutil.Process().cpu_affinity())
    assert host.system.os_type == sys.platform


def test_it_agrees_with_the_driver_of_this_system() -> None:
    generic, native = GenericDriver(unnamed).collect(), collect(source="sysfs")
    assert generic.cpu.threads == native.cpu.threads
    assert generic.cpu.cores in (native.cpu.cores, None)
    assert generic.memory.total_bytes == native.memory.total_bytes
    assert generic.memory.available_bytes == pytest.approx(native.memory.available_bytes, rel=0.1)
    assert generic.hostname == native.hostname
    assert generic.system.kernel == native.system.kernel


def test_what_it_cannot_know_is_none() -> None:
    host = GenericDriver(unnamed).collect()
    assert {host.cpu.model, host.cpu.sockets, host.cpu.caches, host.cpu.vulnerabilities, host.pci} == {None}
    assert host.numa.synthetic


def test_the_cpu_is_named_once_and_not_at_a_refresh() -> None:
    asked = []

    def name() -> CpuName:
        asked.append(1)
        return CpuName("GenuineIntel", "A CPU", ("sse",))

    driver = GenericDriver(name)
    host = driver.refresh(driver.collect())
    assert (host.cpu.model, len(asked)) == ("A CPU", 1)


def test_py_cpuinfo_names_this_cpu_where_it_is_installed() -> None:
    pytest.importorskip("cpuinfo")
    named = ask_py_cpuinfo()
    assert named.flags is None or len(set(named.flags)) == len(named.flags)


def test_without_py_cpuinfo_the_cpu_has_no_name() -> None:
    try:
        import cpuinfo  # noqa: F401
    except ImportError:
        assert ask_py_cpuinfo() == unnamed()
    else:
        pytest.skip("it is installed")
