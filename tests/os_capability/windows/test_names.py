# SPDX-License-Identifier: Apache-2.0
"""Windows's names and numbers."""

from __future__ import annotations

import pytest

from os_capability.errors import UnparsableText
from os_capability.windows import names
from tests.os_capability.windows.recorded import memory_status


@pytest.mark.parametrize(
    ("product", "display_version", "build", "name"),
    [
        ("Windows 10 Pro", "22H2", "19045", "Windows 10 Pro 22H2"),
        ("Windows 10 Pro", "23H2", "22631", "Windows 11 Pro 23H2"),
        ("Windows Server 2022 Datacenter", None, "20348", "Windows Server 2022 Datacenter"),
        ("Windows 10 Pro", None, "new", "Windows 10 Pro"),
        (None, "23H2", "22631", None),
    ],
)
def test_system_name(product: str | None, display_version: str | None, build: str | None, name: str | None) -> None:
    assert names.system_name(product, display_version, build) == name


@pytest.mark.parametrize(
    ("parts", "version"),
    [((10, 0, "22631", 3447), "10.0.22631.3447"), ((10, 0, "19045", None), "10.0.19045"), ((None, 0, "7601", 1), None)],
)
def test_kernel_version(parts: tuple[int | None, int | None, str | None, int | None], version: str | None) -> None:
    assert names.kernel_version(*parts) == version


@pytest.mark.parametrize(
    ("identifier", "family"),
    [
        ("Intel64 Family 6 Model 154 Stepping 3", "6"),
        ("AMD64 Family 25 Model 1", "25"),
        ("ARMv8 (64-bit)", None),
        (None, None),
    ],
)
def test_family(identifier: str | None, family: str | None) -> None:
    assert names.family(identifier) == family


@pytest.mark.parametrize(
    ("revision", "text"),
    [("00000000 2c040000", "0x42c"), ("2c040000 00000000", "0x42c"), ("00000000 00000000", None), ("2c04", None)],
)
def test_microcode(revision: str, text: str | None) -> None:
    assert names.microcode(bytes.fromhex(revision)) == text
    assert names.microcode(None) is None


@pytest.mark.parametrize(
    ("maker", "product", "hypervisor"),
    [
        ("Microsoft Corporation", "Virtual Machine", "microsoft"),
        ("Microsoft Corporation", "Surface Pro", None),
        ("VMware, Inc.", "VMware7,1", "vmware"),
        ("innotek GmbH", "VirtualBox", "oracle"),
        ("QEMU", "Standard PC (Q35 + ICH9, 2009)", "qemu"),
        ("OpenStack Foundation", "OpenStack Nova", "kvm"),
        ("Amazon EC2", "m5.large", "amazon"),
        ("Amazon EC2", "m5.metal", None),
        (None, None, None),
    ],
)
def test_virtualization(maker: str | None, product: str | None, hypervisor: str | None) -> None:
    assert names.virtualization(maker, product) == hypervisor


def test_memory_status() -> None:
    assert names.parse_memory_status(memory_status(16 << 30, 9 << 30)) == (16 << 30, 9 << 30)


@pytest.mark.parametrize("buffer", [b"", bytes(64), memory_status(1, 2), memory_status(1, 1)[:-1]])
def test_what_is_no_memory_status_is_an_error(buffer: bytes) -> None:
    with pytest.raises(UnparsableText, match="GlobalMemoryStatusEx"):
        names.parse_memory_status(buffer)
