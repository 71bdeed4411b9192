# SPDX-License-Identifier: Apache-2.0
"""Who this host is: a uuid and a name that outlive renames and reboots, each in a file of the state directory."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import uuid
from pathlib import Path

from host_agent.errors import IdentityError
from host_agent.record import Identity

__all__ = ["LocalIdentity", "default_route_address", "make_state_directory"]


def make_state_directory(path: Path) -> None:
    """Create the state directory for its owner and group alone, unless it is there.

    Raises:
        IdentityError: it cannot be created or written to; says which and why.
    """
    try:
        path.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise IdentityError(f"{path}: cannot create the state directory: {error.strerror}; set state_path") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise IdentityError(f"{path}: the state directory is not writable; run as its owner or set state_path")


class LocalIdentity:
    """The identity kept in one state directory.

    The row of this host is found by the uuid, so the machine may be renamed. The ``host`` column is the name it had at
    its first registration (or the option), because aggregates refer to it.
    """

    def __init__(self, state_path: Path, *, host: str | None, my_ip: str | None) -> None:
        """Read the uuid, or make one at the very first start.

        Args:
            state_path: an existing directory.
            host: the option; ``None`` leaves it to the first registration.
            my_ip: the option; ``None`` takes the source address of the default route.

        Raises:
            IdentityError: a file there is not readable, or holds something else.
        """
        self._name_file = state_path / "host_name"
        self._host = host or _read(self._name_file)
        self._my_ip = my_ip
        self.uuid = _host_uuid(state_path / "host_uuid")

    def register(self, hostname: str | None) -> Identity:
        """Take `hostname` as the name of this host, unless it has one, and give the identity.

        Raises:
            IdentityError: there is no name at all, or it cannot be written down.
        """
        if not self._host:
            if not hostname:
                raise IdentityError("the machine does not tell its host name: set the option host")
            self._host = _write_once(self._name_file, hostname)
        return self._identity(self._host)

    def current(self) -> Identity | None:
        """Give the identity as it is now; ``None`` before the first registration."""
        return None if self._host is None else self._identity(self._host)

    def _identity(self, host: str) -> Identity:
        # The address is asked for each time: a daemon that started before the network would keep 127.0.0.1.
        return Identity(uuid=self.uuid, host=host, host_ip=self._my_ip or default_route_address())


def default_route_address() -> str:
    """Give the address this machine would send from to the outside; 127.0.0.1 without a default route.

    Nothing is sent: connecting a datagram socket only asks the kernel for the route. The targets are public addresses,
    as in oslo.utils: those reserved for documentation are in use inside some virtual machines.
    """
    for family, target in ((socket.AF_INET, "8.8.8.8"), (socket.AF_INET6, "2001:4860:4860::8888")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
            return str(probe.getsockname()[0])
    return "127.0.0.1"


def _host_uuid(path: Path) -> str:
    text = _read(path)
    if text is None:
        text = _write_once(path, str(uuid.uuid4()))
    try:
        known = uuid.UUID(text)
    except ValueError:
        known = None
    # uuid.UUID() also takes braces, no dashes and urn:; a row's key has one spelling only.
    if known is None or str(known) != text.lower():
        raise IdentityError(
            f"{path}: not a uuid: {text[:40]!r}; restore the file, or remove it to register this host as a new one"
        )
    return str(known)


def _read(path: Path) -> str | None:
    """Give the one line of a file; ``None`` where there is no file."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise IdentityError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise IdentityError(f"{path}: not text; restore the file") from None
    if not text:
        raise IdentityError(f"{path}: the file is empty; restore it, or remove it to register this host as a new one")
    return text


def _write_once(path: Path, text: str) -> str:
    """Write a file that appears whole or not at all, and give what it holds: of two racing writers the first wins.

    The directory is synced as well: without that the name may be gone after a power cut although the data is there.
    """
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", encoding="utf-8") as draft:
            draft.write(text + "\n")
            draft.flush()
            os.fchmod(draft.fileno(), 0o640)
            os.fsync(draft.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(draft.name, path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise IdentityError(f"{path}: {error.strerror}") from None
    return _read(path) or text
