# SPDX-License-Identifier: Apache-2.0
r"""Whose control group a path is: what each engine calls those of its containers and virtual machines. Pure.

    /docker/<id>, /system.slice/docker-<id>.scope                    docker
    /libpod_parent/libpod-<id>, /machine.slice/libpod-<id>.scope     podman
    /kubepods.slice/.../crio-<id>.scope                              cri-o
    /kubepods.slice/.../cri-containerd-<id>.scope, /k8s.io/<id>      containerd
    /lxc.payload.<name>, /lxc/<name>                                 lxc
    /machine.slice/systemd-nspawn@<name>.service                     systemd-nspawn
    /machine.slice/machine-qemu\x2d1\x2d<name>.scope                 libvirt
    /machine/qemu-1-<name>.libvirt-qemu                              libvirt

Source: what these engines were seen to make; systemd.unit(5) for what is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from host_agent.workloads.workload import CONTAINER, VM

__all__ = ["Scope", "may_hold_workloads", "parse_scope"]

_ID = "(?P<id>[0-9a-f]{64})"
# The folder of a container under its id alone says nothing of the engine; a folder above it does.
_BARE_ID = re.compile(_ID)
_WITH_ID = (
    (re.compile(rf"docker-{_ID}\.scope"), "docker"),
    (re.compile(rf"libpod-{_ID}(?:\.scope)?"), "podman"),
    (re.compile(rf"crio-{_ID}(?:\.scope)?"), "cri-o"),
    (re.compile(rf"(?:cri-containerd|nerdctl)-{_ID}\.scope"), "containerd"),
    # What runc makes of a name that is meant for systemd when it is told to do without systemd.
    (re.compile(rf".+:cri-containerd:{_ID}"), "containerd"),
    (re.compile(rf".+:crio:{_ID}"), "cri-o"),
    (re.compile(rf".+:docker:{_ID}"), "docker"),
)
_CONTAINERD_FOLDERS = re.compile(r"kubepods.*|k8s\.io|default")
_LXC = re.compile(r"lxc\.payload\.(?P<name>.+)")
_LXC_FOLDERS = frozenset({"lxc", "lxc.payload"})
_NSPAWN = re.compile(r"systemd-nspawn@(?P<name>.+)\.service")
_MACHINE = re.compile(r"machine-(?P<name>.+)\.scope")
# `<driver>-<number of this start>-<name>`; the number came with libvirt 1.3.
_LIBVIRT_MACHINE = re.compile(r"(?P<driver>qemu|lxc)-(?:[0-9]+-)?(?P<name>.+)")
_LIBVIRT_GROUP = re.compile(r"(?:(?:qemu|lxc)-[0-9]+-)?(?P<name>.+)\.libvirt-(?P<driver>qemu|lxc)")
_ESCAPED = re.compile(r"\\x([0-9a-fA-F]{2})")
# Units of systemd hold processes and no groups of others, but for those that groups are delegated to.
_LEAVES = (".scope", ".service", ".socket", ".mount", ".automount", ".swap", ".device", ".timer", ".target", ".path")
_DELEGATED = re.compile(r"(?:user@[0-9]+|(?:snap\.)?(?:containerd|crio|docker|podman|k3s|rke2)[^/]*)\.service")
_MANAGERS = re.compile(r"lxc\.(?:monitor|pivot).*|\.lxc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A control group that is a workload.

    Attributes:
        engine: as in `Workload.engine`.
        kind: `CONTAINER` or `VM`.
        identifier: the engine's id; ``None`` where the path has a name alone.
        name: what the engine calls it; the beginning of the id where the path has no name.
        in_pod: whether it is a container of a Kubernetes pod.
    """

    engine: str
    kind: str
    identifier: str | None
    name: str
    in_pod: bool = False


def parse_scope(path: Sequence[str]) -> Scope | None:
    """Tell which workload a group is.

    Args:
        path: the names from the hierarchy's top down to the group.

    Returns:
        ``None`` where it is none, or a part of one.
    """
    if not path:
        return None
    *above, name = path
    return _by_id(above, name) or _by_name(above, name)


def may_hold_workloads(name: str) -> bool:
    """Tell whether a group of that name, which is no workload itself, can have workloads below it."""
    if name.endswith(_LEAVES):
        return _DELEGATED.fullmatch(name) is not None
    return _MANAGERS.fullmatch(name) is None


def _by_id(above: Sequence[str], name: str) -> Scope | None:
    in_pod = any(folder.startswith(("kubepods", "kubelet-kubepods")) for folder in above) or "kubepods" in name
    for pattern, engine in _WITH_ID:
        if found := pattern.fullmatch(name):
            return _container(engine, found["id"], in_pod)
    if found := _BARE_ID.fullmatch(name):
        by_containerd = "docker" not in above and any(map(_CONTAINERD_FOLDERS.fullmatch, above))
        return _container("containerd" if by_containerd else "docker", found["id"], in_pod)
    return None


def _container(engine: str, identifier: str, in_pod: bool) -> Scope:
    return Scope(engine=engine, kind=CONTAINER, identifier=identifier, name=identifier[:12], in_pod=in_pod)


def _by_name(above: Sequence[str], name: str) -> Scope | None:
    if name and above and above[-1] in _LXC_FOLDERS:
        return _named("lxc", CONTAINER, name)
    if found := _LXC.fullmatch(name):
        return _named("lxc", CONTAINER, found["name"])
    if found := _NSPAWN.fullmatch(name):
        return _named("systemd-nspawn", CONTAINER, _unescaped(found["name"]))
    if found := _LIBVIRT_GROUP.fullmatch(name):
        return _of_libvirt(found)
    if found := _MACHINE.fullmatch(name):
        machine = _unescaped(found["name"])
        started = _LIBVIRT_MACHINE.fullmatch(machine)
        return _of_libvirt(started) if started else _named("systemd-nspawn", CONTAINER, machine)
    return None


def _of_libvirt(found: re.Match[str]) -> Scope:
    return _named("libvirt", VM if found["driver"] == "qemu" else CONTAINER, found["name"])


def _named(engine: str, kind: str, name: str) -> Scope:
    return Scope(engine=engine, kind=kind, identifier=None, name=name)


def _unescaped(unit: str) -> str:
    r"""Give the name that systemd made a unit's name of: ``\x2d`` is a dash."""
    raw = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), unit)
    # Each byte is escaped by itself, so what is left may be UTF-8 that was taken for Latin-1.
    try:
        return raw.encode("latin-1").decode()
    except UnicodeError:
        return raw
