# SPDX-License-Identifier: Apache-2.0
"""``/sys/bus/pci/devices``: addresses, ids and classes of PCI functions.

Source: Documentation/ABI/testing/sysfs-bus-pci, Documentation/PCI/sysfs-pci.rst; for the classes the PCI Code and ID
Assignment Specification.
"""

from __future__ import annotations

from typing import NamedTuple

from os_capability.errors import UnparsableText
from os_capability.number import whole_number

__all__ = [
    "PciIds",
    "address_order",
    "is_address",
    "kind_of_class",
    "parse_hexadecimal",
    "parse_iommu_group",
    "parse_numa_node",
    "parse_physical_function",
    "parse_uevent",
]

_HEXADECIMAL = frozenset("0123456789abcdef")
# The longest code that fits decides: a class of 2 digits, or a class and subclass of 4.
_KINDS = {"01": "storage", "0108": "nvme", "02": "network", "03": "gpu", "12": "accelerator"}


class PciIds(NamedTuple):
    """Who a function says it is, in lower-case hexadecimal digits, and the driver that is bound to it."""

    vendor_id: str | None = None
    product_id: str | None = None
    class_id: str | None = None
    driver: str | None = None


def is_address(name: str) -> bool:
    """Tell whether a name is ``domain:bus:device.function``; a domain behind Intel's VMD has more than 4 digits."""
    front, point, function = name.partition(".")
    parts = front.split(":")
    return (
        point == "."
        and [len(part) for part in (*parts[1:], function)] == [2, 2, 1]
        and 4 <= len(parts[0]) <= 8
        and all(_HEXADECIMAL.issuperset(part) for part in (*parts, function))
    )


def address_order(address: str) -> tuple[int, str]:
    """Give the key that sorts addresses by domain, bus, device and function."""
    return len(address), address


def kind_of_class(class_id: str | None) -> str | None:
    """Give ``network``, ``gpu``, ``nvme``, ``storage`` or ``accelerator`` for six digits, ``None`` for the rest."""
    return None if class_id is None else _KINDS.get(class_id[:4]) or _KINDS.get(class_id[:2])


def parse_uevent(text: str, source: str) -> PciIds:
    """Give what a device's ``uevent`` says; a kernel that leaves a line out leaves ``None``.

    Raises:
        UnparsableText: an id or class is no hexadecimal number of its length.
    """
    vendor_id = product_id = class_id = driver = None
    for line_number, line in enumerate(text.split("\n"), 1):
        name, _, value = line.partition("=")
        if name == "DRIVER":
            driver = value or None
        elif name == "PCI_CLASS":
            class_id = _digits(value, 6, source, line_number, line)
        elif name == "PCI_ID":
            vendor, _, product = value.partition(":")
            vendor_id = _digits(vendor, 4, source, line_number, line)
            product_id = _digits(product, 4, source, line_number, line)
    return PciIds(vendor_id, product_id, class_id, driver)


def parse_hexadecimal(text: str, source: str, *, digits: int) -> str:
    """Give the digits of ``0x8086``: lower case, as many as `digits`, without the prefix.

    Raises:
        UnparsableText: it is no such number.
    """
    line = text.strip("\0 \n")
    return _digits(line.removeprefix("0x"), digits, source, 1, line)


def _digits(number: str, digits: int, source: str, line_number: int, line: str) -> str:
    lower = number.lower()
    if not (0 < len(lower) <= digits and _HEXADECIMAL.issuperset(lower)):
        raise UnparsableText(source, line_number, line, f"no hexadecimal number of {digits} digits")
    return lower.zfill(digits)


def parse_numa_node(text: str, source: str) -> int | None:
    """Give ``numa_node``, ``None`` for the -1 of a device that the firmware puts in no node.

    Raises:
        UnparsableText: it is no number.
    """
    line = text.strip("\0 \n")
    node = whole_number(line, 6)
    if node is None and line != "-1":
        raise UnparsableText(source, 1, line, "no NUMA node")
    return node


def parse_iommu_group(link: str | None) -> int | None:
    """Give the number at the end of the link ``iommu_group``."""
    return whole_number((link or "").rpartition("/")[2], 9)


def parse_physical_function(link: str | None) -> str | None:
    """Give the address at the end of the link ``physfn``, which only virtual functions have."""
    address = (link or "").rpartition("/")[2]
    return address if is_address(address) else None
