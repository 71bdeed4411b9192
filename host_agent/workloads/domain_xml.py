# SPDX-License-Identifier: Apache-2.0
"""What libvirt's description of a domain says of what it holds.

Source: https://libvirt.org/formatdomain.html; the metadata is Nova's (nova/virt/libvirt/config.py,
LibvirtConfigGuestMetaNovaInstance).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from host_agent.workloads.workload import MOST_VCPUS, HeldPages
from os_capability import CpuSet, InvalidCpuSet

__all__ = ["Domain", "parse_domain"]

_UNITS = {
    "b": 1,
    "bytes": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgtpe", 1)},
    **{f"{letter}{rest}": 1024**power for power, letter in enumerate("kmgtpe", 1) for rest in ("", "ib")},
}
# A page of this size is no huge one, though it may stand among them: it means "none" for the cells it names.
_ORDINARY_PAGE = 4096
# Disks of other types (network, volume, vhost-user) lie on another host, or nobody can say where.
_LOCAL_DISKS = frozenset({"file", "block"})
# What the memory must come from; `preferred` and `interleave` only say what is better.
_BINDING_MODES = frozenset({"strict", "restrictive"})
_NOVA = "{http://openstack.org/xmlns/libvirt/nova/"
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """What a domain holds, by its description; ``None`` is what that does not tell.

    Attributes:
        vcpus: CPUs it has now, which may be fewer than it could be given.
        cpuset: the host's CPUs its vCPUs may run on; ``None``: all.
        memory_bytes: what it may have at most without being defined anew: the balloon takes from this.
        hugepages: what its memory lies on; empty for ordinary pages.
        numa_nodes: the host's nodes its memory must come from; ``None``: any.
        disks: the targets (``vda``) of its disks that lie on this host.
        labels: of Nova's metadata ``nova.name``, ``nova.flavor`` and ``nova.project``.
    """

    vcpus: int | None = None
    cpuset: CpuSet | None = None
    memory_bytes: int | None = None
    hugepages: tuple[HeldPages, ...] | None = None
    numa_nodes: tuple[int, ...] | None = None
    disks: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)


def parse_domain(text: str, default_page_bytes: int | None = None) -> Domain | None:
    """Read a domain's description; what is odd in it is ``None`` in the answer.

    Args:
        text: the XML.
        default_page_bytes: the host's default size of huge pages, for a domain that asks for no size of its own.

    Returns:
        ``None`` where it is no description of a domain.
    """
    # libvirt writes no document type, and what one could define would have to be expanded.
    if "<!DOCTYPE" in text:
        return None
    try:
        root = ElementTree.fromstring(text)  # noqa: S314
    except (ElementTree.ParseError, ValueError):  # ValueError: half of a surrogate pair
        return None
    if root.tag != "domain":
        return None
    memory = _bytes(root.find("memory"))
    return Domain(
        vcpus=_vcpus(root),
        cpuset=_cpuset(root),
        memory_bytes=memory,
        hugepages=_hugepages(root, memory, default_page_bytes),
        numa_nodes=_numa_nodes(root),
        disks=tuple(_disks(root)),
        labels=dict(_labels(root)),
    )


def _vcpus(root: Element) -> int | None:
    vcpu = root.find("vcpu")
    if vcpu is None:
        return None
    count = _number(vcpu.get("current")) or _number(vcpu.text)
    return count if count and count <= MOST_VCPUS else None


def _cpuset(root: Element) -> CpuSet | None:
    """Give where the vCPUs that are plugged in may run: each where it is pinned, the others where the domain may."""
    vcpu = root.find("vcpu")
    domain = None if vcpu is None else _cpus(vcpu.get("cpuset"))
    pins = {pin.get("vcpu"): _cpus(pin.get("cpuset")) for pin in root.iterfind("cputune/vcpupin")}
    plugged = [one.get("id") for one in root.iterfind("vcpus/vcpu") if one.get("enabled") == "yes"]
    places = {pins.get(number, domain) for number in plugged or map(str, range(_vcpus(root) or 0))} or {domain}
    known = [place for place in places if place is not None]
    return CpuSet.union(known) if len(known) == len(places) else None


def _hugepages(root: Element, memory: int | None, default: int | None) -> tuple[HeldPages, ...] | None:
    asked = root.find("memoryBacking/hugepages")
    if asked is None:
        return ()
    if memory is None:
        return None
    lying: dict[int | None, int] = {}
    cells, left = _cells(root) or {0: memory}, memory
    # A page without a nodeset is for the cells that no other names; without such a page they have ordinary ones.
    others = default if asked.find("page") is None else _ORDINARY_PAGE
    for page in asked.iterfind("page"):
        size, nodes = _bytes(page, page.get("size")), page.get("nodeset")
        if nodes is None:
            others = size
            continue
        taken = min(left, sum(cells.get(cell, 0) for cell in _cpus(nodes) or ()))
        lying[size] = lying.get(size, 0) + taken
        left -= taken
    lying[others] = lying.get(others, 0) + left
    held = {size: amount for size, amount in lying.items() if amount}
    if not all(held):
        return None
    sizes = sorted(size for size in held if size and size > _ORDINARY_PAGE)
    return tuple(HeldPages(size_bytes=size, count=-(-held[size] // size)) for size in sizes)


def _cells(root: Element) -> dict[int, int]:
    """Give the bytes of each NUMA node that the guest sees."""
    cells = {}
    for at, cell in enumerate(root.iterfind("cpu/numa/cell")):
        number = _number(cell.get("id"))
        cells[at if number is None else number] = _bytes(cell, cell.get("memory")) or 0
    return cells


def _numa_nodes(root: Element) -> tuple[int, ...] | None:
    bound = [*root.iterfind("numatune/memory"), *root.iterfind("numatune/memnode")]
    nodes = CpuSet.union(
        _cpus(element.get("nodeset")) or CpuSet() for element in bound if element.get("mode") in _BINDING_MODES
    )
    return tuple(nodes) or None


def _disks(root: Element) -> Iterator[str]:
    for disk in root.iterfind("devices/disk"):
        target = disk.find("target")
        name = None if target is None else target.get("dev")
        is_own = disk.get("device", "disk") == "disk" and disk.find("readonly") is None
        if name and is_own and disk.get("type") in _LOCAL_DISKS:
            yield name


def _labels(root: Element) -> Iterator[tuple[str, str]]:
    for instance in root.iterfind("metadata/*"):
        if not (instance.tag.startswith(_NOVA) and instance.tag.endswith("}instance")):
            continue
        namespace = instance.tag.removesuffix("instance")
        flavor = instance.find(f"{namespace}flavor")
        texts = {
            "nova.name": instance.findtext(f"{namespace}name"),
            "nova.flavor": None if flavor is None else flavor.get("name"),
            "nova.project": instance.findtext(f"{namespace}owner/{namespace}project"),
        }
        yield from ((label, text) for label, text in texts.items() if text)


def _bytes(element: Element | None, text: str | None = None) -> int | None:
    if element is None:
        return None
    number = _number(element.text if text is None else text)
    unit = _UNITS.get(element.get("unit", "KiB").lower())
    return None if number is None or unit is None else number * unit


def _cpus(text: str | None) -> CpuSet | None:
    """Give a list of CPUs or nodes, ``None`` for an empty one and for anything else."""
    try:
        return CpuSet.parse_list(text or "") or None
    except InvalidCpuSet:
        return None


def _number(text: str | None) -> int | None:
    digits = (text or "").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS else None
