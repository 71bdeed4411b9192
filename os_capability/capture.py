# SPDX-License-Identifier: Apache-2.0
"""Makes a capture: a machine as a tar archive of the files that are read of it, without what identifies it."""

from __future__ import annotations

import gzip
import io
import json
import posixpath
import tarfile
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from os_capability.cpuset import CpuSet
from os_capability.errors import OsCapabilityError, SourceUnreadable
from os_capability.linux import paths
from os_capability.linux.driver import LinuxDriver
from os_capability.linux.readers.captured import CONCLUDED
from os_capability.linux.recording import Recording, RecordingRoot
from os_capability.linux.redaction import redact
from os_capability.model import Host, System
from os_capability.roots import opened_root

__all__ = ["Capture", "capture"]

# The folder in the archive, so that unpacking one in a folder of tests/hosts is all there is to do.
_TOP = "root"

# lscpu --sysroot wants these beside what we read ourselves; from its source, versions 2.38 to 2.41.
_READ_BY_LSCPU = (f"{paths.CPU}/kernel_max", f"{paths.CPU}/dispatching")
_READ_BY_LSCPU_OF_A_CPU = (
    *("book_id", "core_id", "drawer_id", "physical_package_id"),
    *("book_siblings", "core_siblings", "drawer_siblings", "thread_siblings"),
)


class Capture(NamedTuple):
    """A capture: the bytes of a ``.tar.gz``, the number of its files, and the machine as it was read for it.

    A machine that could not be read is ``None``, and `failure` says why.
    """

    archive: bytes
    files: int
    host: Host | None
    failure: OsCapabilityError | None


def capture(root: str = "/") -> Capture:
    """Read a machine and keep what was read, without host name, ids, serial numbers, MACs and users' names.

    `os_capability.collect` of the archive's folder gives the document that the machine gives now, but for
    ``collected_at`` and for who the machine is (`MachineIdentity`), which is null. A machine that cannot be read is
    kept as far as it can.

    Raises:
        InvalidRoot: `root` is no folder, or holds neither ``proc`` nor ``sys``.
    """
    recorder = RecordingRoot(root)
    host, failure = None, None
    try:
        host = LinuxDriver(recorder).collect()
    except OsCapabilityError as error:
        failure = error
        _read_what_there_is(recorder)
    _read_for_lscpu(recorder, CpuSet() if host is None else host.cpu.present)
    recording = redact(recorder.recording())
    if host is not None:
        recording = _with_conclusions(recording, host.system)
    entries = _entries(recording)
    return Capture(_archive(entries), sum(entry.isfile() for entry, _ in entries), host, failure)


def _read_what_there_is(recorder: RecordingRoot) -> None:
    # What every running machine has may be missing in a captured one: taken for one, it is read further.
    recorder.is_live = False
    with suppress(OsCapabilityError):
        LinuxDriver(recorder, "sysfs").collect()


def _read_for_lscpu(recorder: RecordingRoot, cpus: CpuSet) -> None:
    of_cpus = (f"{paths.CPU}/cpu{cpu}/topology/{name}" for cpu in cpus for name in _READ_BY_LSCPU_OF_A_CPU)
    for path in (*_READ_BY_LSCPU, *of_cpus):
        with suppress(SourceUnreadable):
            recorder.read(path)


def _with_conclusions(recording: Recording, system: System) -> Recording:
    """Add what the machine concluded and its files alone do not give: a namespace, a system call, lscpu's CPUID."""
    recording.texts.pop(paths.CAPTURED, None)
    told = _system_of(_archive(_entries(recording), level=0))
    concluded = {name: getattr(system, name) for name in CONCLUDED}
    if told is not None:
        concluded = {name: value for name, value in concluded.items() if getattr(told, name) != value}
    if not concluded:
        return recording
    recording.texts[paths.CAPTURED] = json.dumps({"system": concluded}, indent=2) + "\n"
    return recording


def _system_of(archive: bytes) -> System | None:
    """Give what is concluded from the files alone, ``None`` where there is no place to unpack them."""
    with suppress(OsCapabilityError, OSError), tempfile.NamedTemporaryFile(suffix=".tar.gz") as file:
        file.write(archive)
        file.flush()
        with opened_root(file.name) as root:
            return LinuxDriver(root, "sysfs").collect().system
    return None


def _entries(recording: Recording) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Give the members of the archive in the order of their names, nothing in their headers but names and sizes."""
    members: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
    links = recording.links
    for path in sorted(recording.folders):
        _add(members, _placed(path, links), tarfile.DIRTYPE)
    # A link to itself cannot be read either.
    for path in sorted(recording.unreadable):
        _add(members, _placed(path, links), tarfile.SYMTYPE, link=posixpath.basename(path))
    for path, text in sorted(recording.texts.items()):
        if path not in recording.unreadable:
            _add(members, _placed(path, links), tarfile.REGTYPE, content=text.encode())
    for path, target in sorted(links.items()):
        _add(members, _placed(path, links, itself=True), tarfile.SYMTYPE, link=target)
    return [members[name] for name in sorted(members)]


def _add(
    members: dict[str, tuple[tarfile.TarInfo, bytes]],
    path: str | None,
    kind: bytes,
    content: bytes = b"",
    link: str = "",
) -> None:
    if path is None:
        return
    entry = tarfile.TarInfo(f"{_TOP}/{path}")
    entry.type, entry.size, entry.linkname = kind, len(content), link
    entry.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    members[path] = entry, content


def _placed(path: str, links: Mapping[str, str], *, itself: bool = False) -> str | None:
    """Give where a path lies when the recorded links on its way are followed; ``None`` outside of the root.

    Args:
        path: relative to the root.
        links: what they hold, by path.
        itself: the path is that of a link, which is not followed.
    """
    for _ in range(40):  # as many links as the kernel follows
        parts = path.split("/")
        last = len(parts) - 1 if itself else len(parts)
        for length in range(1, last + 1):
            way = "/".join(parts[:length])
            if way in links:
                there = posixpath.normpath(posixpath.join(posixpath.dirname(way), links[way]))
                path = "/".join((there, *parts[length:]))
                break
        else:
            return path
        if path.startswith(("../", "/")):
            return None
    return None


def _archive(entries: list[tuple[tarfile.TarInfo, bytes]], level: int = 6) -> bytes:
    packed = io.BytesIO()
    # The same machine gives the same bytes: no time and no file name in gzip's header either.
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=level, fileobj=packed, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for entry, content in entries:
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
