# SPDX-License-Identifier: Apache-2.0
"""PCI functions: their texts, and whole folders of them with pieces missing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from pyfakefs.fake_filesystem import FakeFilesystem

from os_capability.errors import UnparsableText
from os_capability.linux.host_root import HostRoot
from os_capability.linux.pci import (
    PciIds,
    address_order,
    is_address,
    kind_of_class,
    parse_hexadecimal,
    parse_iommu_group,
    parse_numa_node,
    parse_physical_function,
    parse_uevent,
)
from os_capability.linux.readers.pci import read_pci
from os_capability.linux.sources import Sources
from os_capability.model import PciDevice

DEVICES = "sys/bus/pci/devices"
UEVENT = "DRIVER=ice\nPCI_CLASS=20000\nPCI_ID=8086:159B\nPCI_SUBSYS_ID=8086:0002\nPCI_SLOT_NAME=0000:3b:00.0\n"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("0000:3b:00.0", True),
        ("10000:e1:00.1", True),
        ("ffffffff:00:1f.7", True),
        ("000:3b:00.0", False),
        ("123456789:3b:00.0", False),
        ("0000:3B:00.0", False),
        ("0000:3b:00", False),
        ("0000:3b:00.", False),
        ("0000:3b.00:0", False),
        ("0000:3b:00.0.0", False),
        ("pci0000:00", False),
        ("", False),
    ],
)
def test_an_address_is_domain_bus_device_and_function(name: str, is_one: bool) -> None:
    assert is_address(name) is is_one


def test_a_domain_of_five_digits_comes_after_all_of_four() -> None:
    addresses = ["10000:00:00.0", "2000:00:00.0", "0000:ff:00.0", "0000:0a:00.0"]
    assert sorted(addresses, key=address_order) == addresses[::-1]


@pytest.mark.parametrize(
    ("class_id", "kind"),
    [
        ("020000", "network"),
        ("028000", "network"),
        ("030000", "gpu"),
        ("030200", "gpu"),
        ("010802", "nvme"),
        ("010601", "storage"),
        ("018000", "storage"),
        ("120000", "accelerator"),
        ("060400", None),
        ("ffff00", None),
        (None, None),
    ],
)
def test_the_class_tells_the_kind(class_id: str | None, kind: str | None) -> None:
    assert kind_of_class(class_id) == kind


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        pytest.param(UEVENT, PciIds("8086", "159b", "020000", "ice"), id="whole"),
        pytest.param("PCI_CLASS=60000\nPCI_ID=8086:0D57\n\0", PciIds("8086", "0d57", "060000"), id="no driver"),
        pytest.param("DRIVER=\n", PciIds(), id="an empty driver"),
        pytest.param("", PciIds(), id="before Linux 2.6.22 it was only to be written"),
    ],
)
def test_uevent_has_ids_class_and_driver(text: str, ids: PciIds) -> None:
    assert parse_uevent(text, "uevent") == ids


@pytest.mark.parametrize("line", ["PCI_CLASS=", "PCI_CLASS=1234567", "PCI_ID=8086", "PCI_ID=80860:1", "PCI_ID=x:1"])
def test_uevent_with_other_numbers_is_not_understood(line: str) -> None:
    with pytest.raises(UnparsableText, match="uevent, line 2: "):
        parse_uevent(f"DRIVER=ice\n{line}\n", "uevent")


def test_files_of_single_facts() -> None:
    assert parse_hexadecimal("0x8086\n", "vendor", digits=4) == "8086"
    assert parse_hexadecimal("0x060000\0", "class", digits=6) == "060000"
    with pytest.raises(UnparsableText, match="no hexadecimal number of 4 digits"):
        parse_hexadecimal("", "vendor", digits=4)
    assert [parse_numa_node(text, "numa_node") for text in ("0\n", "-1\n")] == [0, None]
    with pytest.raises(UnparsableText, match="no NUMA node"):
        parse_numa_node("-2\n", "numa_node")


def test_links_tell_by_where_they_end() -> None:
    assert parse_iommu_group("../../../../kernel/iommu_groups/12") == 12
    assert [parse_iommu_group(link) for link in (None, "", "../x")] == [None, None, None]
    assert parse_physical_function("../0000:3b:00.0") == "0000:3b:00.0"
    assert [parse_physical_function(link) for link in (None, "../virtual")] == [None, None]


class TestFolders:
    """Whole machines: what is missing is null, what is garbage is null and a warning."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        (tmp_path / DEVICES).mkdir(parents=True)
        return tmp_path

    @staticmethod
    def add(root: Path, address: str, files: Mapping[str, str], links: Mapping[str, str] | None = None) -> None:
        folder = root / DEVICES / address
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
        for name, target in (links or {}).items():
            (folder / name).symlink_to(target)

    @staticmethod
    def read(root: Path) -> tuple[dict[str, PciDevice], list[str]]:
        sources = Sources(HostRoot(str(root)))
        devices = read_pci(sources)
        assert devices is not None
        return {device.address: device for device in devices}, [warning.message for warning in sources.warnings]

    def test_no_bus_is_unknown_and_an_empty_bus_has_no_devices(self, root: Path) -> None:
        assert read_pci(Sources(HostRoot(str(root)))) == ()
        (root / DEVICES).rmdir()
        assert read_pci(Sources(HostRoot(str(root)))) is None

    def test_a_bus_that_cannot_be_listed_is_unknown_and_a_warning(self, root: Path) -> None:
        (root / DEVICES).rmdir()
        (root / DEVICES).symlink_to("devices")
        sources = Sources(HostRoot(str(root)))
        assert read_pci(sources) is None
        assert [warning.code for warning in sources.warnings] == ["source-unreadable"]

    @pytest.mark.parametrize(
        "files",
        [
            pytest.param({"uevent": UEVENT}, id="uevent alone"),
            pytest.param({"vendor": "0x8086\n", "device": "0x159b\n", "class": "0x020000\n"}, id="single files"),
            pytest.param(
                {"uevent": "\n", "vendor": "0x8086\n", "device": "0x159b\n", "class": "0x020000\n"},
                id="an empty uevent",
            ),
        ],
    )
    def test_uevent_and_single_files_tell_the_same(self, root: Path, files: Mapping[str, str]) -> None:
        self.add(root, "0000:3b:00.0", files, {"driver": "../../drivers/ice"})
        devices, warnings = self.read(root)
        device = devices["0000:3b:00.0"]
        assert (device.vendor_id, device.product_id, device.class_id) == ("8086", "159b", "020000")
        assert (device.kind, device.driver) == ("network", "ice")
        assert warnings == []

    def test_a_physical_function_and_its_virtual_ones(self, root: Path) -> None:
        self.add(root, "0000:3b:00.0", {"uevent": UEVENT, "sriov_totalvfs": "8\n", "sriov_numvfs": "1\n"})
        self.add(root, "0000:3b:01.0", {"uevent": UEVENT}, {"physfn": "../0000:3b:00.0"})
        self.add(root, "0000:3b:00.1", {"uevent": UEVENT, "sriov_totalvfs": "0\n", "sriov_numvfs": "0\n"})
        devices, _ = self.read(root)
        told = [(d.sriov, d.physical_function, d.sriov_total_vfs, d.sriov_num_vfs) for d in devices.values()]
        assert told == [("pf", None, 8, 1), (None, None, 0, 0), ("vf", "0000:3b:00.0", None, None)]

    def test_garbage_is_null_and_a_warning_that_names_the_file(self, root: Path) -> None:
        self.add(root, "0000:00:01.0", {"uevent": "PCI_ID=?\n", "vendor": "0x8086\n", "numa_node": "many\n"})
        devices, warnings = self.read(root)
        device = devices["0000:00:01.0"]
        assert (device.vendor_id, device.product_id, device.node) == ("8086", None, None)
        assert [warning.partition(",")[0].rpartition("/")[2] for warning in warnings] == ["uevent", "numa_node"]

    def test_a_captured_link_whose_device_was_not_captured_is_an_address(self, root: Path) -> None:
        (root / DEVICES / "0000:00:01.0").symlink_to("../../../devices/pci0000:00/0000:00:01.0")
        devices, warnings = self.read(root)
        assert devices["0000:00:01.0"].vendor_id is None
        assert warnings == []

    def test_a_device_folder_that_leads_to_another_machine_is_not_entered(self, root: Path, tmp_path: Path) -> None:
        other = tmp_path / "other"
        (other / DEVICES).mkdir(parents=True)
        self.add(other, "0000:00:01.0", {"uevent": UEVENT}, {"iommu_group": "../groups/7"})
        machine = tmp_path / "machine"
        (machine / DEVICES).mkdir(parents=True)
        (machine / DEVICES / "0000:00:01.0").symlink_to(other / DEVICES / "0000:00:01.0")
        devices, _ = self.read(machine)
        assert (devices["0000:00:01.0"].vendor_id, devices["0000:00:01.0"].iommu_group) == (None, None)

    def test_other_names_are_no_devices(self, root: Path) -> None:
        self.add(root, "power", {"uevent": UEVENT})
        assert self.read(root) == ({}, [])


def test_a_device_that_is_unplugged_while_we_read_is_left_out(fs: FakeFilesystem) -> None:
    fs.create_file(f"/{DEVICES}/0000:00:01.0/uevent", contents=UEVENT)
    fs.create_symlink(f"/{DEVICES}/0000:00:02.0", "../../../devices/pci0000:00/0000:00:02.0")
    devices = read_pci(Sources(HostRoot("/")))
    assert devices is not None
    assert [device.address for device in devices] == ["0000:00:01.0"]
