# SPDX-License-Identifier: Apache-2.0
"""A libvirtd of a test's own, in a mount namespace, so that the system's stays untouched; its machines are emulated."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.beds import absent

__all__ = ["Libvirtd"]

_PROGRAMS = ("libvirtd", "qemu-img", "qemu-system-x86_64", "unshare")
# The folders that a libvirtd of the system writes to, each put over by one of ours.
_FOLDERS = {"etc": "/etc/libvirt", "lib": "/var/lib/libvirt", "log": "/var/log/libvirt", "cache": "/var/cache/libvirt"}
# No user to change to, no security module, no control groups: what a build machine does not give.
_QEMU_CONF = """
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
max_files = 0
max_core = 0
"""
_LIBVIRTD_CONF = """
unix_sock_dir = "{sockets}"
unix_sock_ro_perms = "0777"
unix_sock_rw_perms = "0770"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:file:{folder}/libvirtd.log"
"""
_START_SECONDS = 30.0
_DOMAIN = """
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>{memory_mib}</memory>
  <vcpu>{vcpus}</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  {elements}
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    {devices}
  </devices>
</domain>
"""


class Libvirtd:
    """The daemon, in a folder; domains are started without a disk to boot from, so they idle in their firmware."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sockets = folder / "run"
        self.uri = f"qemu+unix:///system?socket={self.sockets}/libvirt-sock-ro"
        self.writable_uri = f"qemu+unix:///system?socket={self.sockets}/libvirt-sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @staticmethod
    def require() -> None:
        """Leave the test out where the daemon cannot be run."""
        if not sys.platform.startswith("linux") or os.geteuid() != 0:
            absent("a libvirtd of the system's kind needs root on Linux")
        missing = [program for program in _PROGRAMS if shutil.which(program) is None]
        if missing:
            absent(f"not installed: {', '.join(missing)}; .ci/install-test-beds installs it")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        for name in (*_FOLDERS, "etc/qemu", "run"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "etc" / "qemu.conf").write_text(_QEMU_CONF)
        (self.folder / "etc" / "libvirtd.conf").write_text(
            _LIBVIRTD_CONF.format(sockets=self.sockets, folder=self.folder)
        )
        mounts = [f"mount --bind {self.folder}/{ours} {theirs}" for ours, theirs in _FOLDERS.items()]
        script = " && ".join(["mount -t tmpfs tmpfs /run", *mounts, "exec libvirtd -f /etc/libvirt/libvirtd.conf"])
        with (self.folder / "out").open("wb") as out:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._wait()

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while (why := self._trouble()) is not None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"libvirtd did not start: {why}: {(self.folder / 'out').read_text()}")
            time.sleep(0.05)

    def _trouble(self) -> str | None:
        listed = self._virsh("list", check=False)
        return None if listed.returncode == 0 else listed.stderr

    def _virsh(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = ["virsh", "--quiet", "--connect", self.writable_uri, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=check, timeout=30)

    def virsh(self, *arguments: str) -> str:
        """Give what the command prints."""
        return self._virsh(*arguments).stdout

    def define(
        self, name: str, *, vcpus: str = "1", memory_mib: int = 32, elements: str = "", devices: str = ""
    ) -> str:
        """Define a domain, and give its uuid."""
        description = self.folder / f"{name}.xml"
        values: dict[str, Any] = {"name": name, "vcpus": vcpus, "memory_mib": memory_mib}
        description.write_text(_DOMAIN.format(elements=elements, devices=devices, **values))
        self.virsh("define", str(description))
        return self.virsh("domuuid", name).strip()

    def image(self, name: str, kind: str, size: str) -> Path:
        """Make an empty disk image."""
        path = self.folder / name
        subprocess.run(["qemu-img", "create", "-q", "-f", kind, str(path), size], check=True)
        return path

    def qemu(self, name: str) -> int:
        """Give the process of a domain that is on."""
        assert self._process is not None
        return int(Path(f"/proc/{self.pid}/root/run/libvirt/qemu/{name}.pid").read_text())

    @contextmanager
    def waiting(self, *arguments: str) -> Iterator[None]:
        """Let a command go on while the context lasts."""
        command = ["virsh", "--quiet", "--connect", self.writable_uri, *arguments]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            try:
                yield
            finally:
                running.terminate()

    def clear(self) -> None:
        """End and forget every domain."""
        for name in self._virsh("list", "--name", check=False).stdout.split():
            self._virsh("destroy", name, check=False)
        for name in self._virsh("list", "--all", "--name", check=False).stdout.split():
            self._virsh("undefine", name, check=False)

    def kill(self) -> None:
        """Let the daemon die at once; its sockets stay."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)

    def stop(self) -> None:
        """End the domains and the daemon; nothing where it is stopped."""
        if self._process is None or self._process.poll() is not None:
            return
        self.clear()
        self._process.terminate()
        self._process.wait(30)
