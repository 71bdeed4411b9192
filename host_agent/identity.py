# SPDX-License-Identifier: Apache-2.0
"""Who this host is: a uuid and a name that outlive renames and reboots, each in a file of the state directory."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import uuid
from pathlib import Path

from host_agent.atomic_file import give_to_owner, replace_file, sync_directory
from host_agent.errors import IdentityError
from host_agent.record import Identity

__all__ = ["LocalIdentity", "adopt", "default_route_address", "forget", "make_state_directory", "reset"]

_UUID, _NAME, _GIVEN = "host_uuid", "host_name", "host_uuid_given"
# What an operator did, by the codes of the events that tell it.
_RESET, _ADOPTED = "identity-reset", "identity-adopted"
# What the agent keeps of one host: worth nothing to another one, or under another uuid.
_MEMORY = ("facts.json", "events.jsonl")
_ALL = (_UUID, _NAME, _GIVEN, *_MEMORY, "status.json", *(f"os-capability.sqlite{end}" for end in ("", "-wal", "-shm")))
_MODE = 0o640


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

    Attributes:
        uuid: the key of this host's row.
        given: how an operator gave it that uuid since the last registration: the event's code and the uuid it had
            before; ``None`` where nobody did.
    """

    def __init__(self, state_path: Path, *, host: str | None, my_ip: str | None, host_uuid_file: str) -> None:
        """Read the uuid, or make one at the very first start.

        Args:
            state_path: an existing directory.
            host: the option; ``None`` leaves it to the first registration.
            my_ip: the option; ``None`` takes the source address of the default route.
            host_uuid_file: the option: where the uuid of a machine stands that was given one when it was provisioned.

        Raises:
            IdentityError: a file there is not readable, or holds something else.
        """
        self._state_path = state_path
        self._name = host or _read(state_path / _NAME)
        self._my_ip = my_ip
        provisioned = _read_uuid(Path(host_uuid_file))
        kept = provisioned or _read_uuid(state_path / _UUID)
        self.uuid = kept or _make_uuid(state_path / _UUID)
        self._is_provisioned = provisioned is not None
        # A name without a uuid: that file alone was lost.
        self._is_registered = kept is not None and (state_path / _NAME).exists()
        self.given = _read_given(state_path / _GIVEN)

    @property
    def is_new(self) -> bool:
        """Whether the uuid was made here and no database ever took it: the machine may have a row under another."""
        return not (self._is_provisioned or self._is_registered or self.given)

    def wanted_name(self, hostname: str | None) -> str:
        """Give the name for the ``host`` columns: the one this host has, else `hostname`.

        Raises:
            IdentityError: there is no name at all.
        """
        name = self._name or hostname
        if not name:
            raise IdentityError("the machine does not tell its host name: set the option host")
        return name

    def confirm(self, registered_uuid: str, host: str) -> Identity:
        """Take note that the database took this host, under this uuid and name, and give the identity.

        Raises:
            IdentityError: it cannot be written down.
        """
        if registered_uuid != self.uuid:
            _replace(self._state_path / _UUID, registered_uuid)
            _replace(self._state_path / _NAME, host)
            self.uuid, self._name = registered_uuid, host
        if not self._is_registered:
            _write_once(self._state_path / _NAME, host)
            self._is_registered = True
        if self.given is not None:
            with contextlib.suppress(OSError):  # to be told twice does no harm
                (self._state_path / _GIVEN).unlink()
            self.given = None
        self._name = self._name or host
        return self._identity(self._name)

    def current(self) -> Identity | None:
        """Give the identity as it is now; ``None`` before the first registration."""
        return None if self._name is None else self._identity(self._name)

    def _identity(self, host: str) -> Identity:
        # The address is asked for each time: a daemon that started before the network would keep 127.0.0.1.
        return Identity(uuid=self.uuid, host=host, host_ip=self._my_ip or default_route_address())


def reset(state_path: Path, host_uuid_file: str) -> str:
    """Give this host a new uuid, and its name anew at the next registration: it was cloned from another.

    What was kept for the old uuid goes: the events that wait, the facts that were told. To be called under the lock
    of the directory (`host_agent.state_lock`).

    Raises:
        IdentityError: the uuid is provisioned, or the directory cannot be written to.
    """
    made = str(uuid.uuid4())
    _give(state_path, host_uuid_file, made, _RESET)
    return made


def adopt(state_path: Path, host_uuid_file: str, known_uuid: str) -> None:
    """Make this host the one with the uuid `known_uuid`; otherwise as `reset`.

    Raises:
        IdentityError: that is no uuid; or as for `reset`.
    """
    wanted = _parsed(known_uuid)
    if wanted is None:
        raise IdentityError(f"not a uuid: {known_uuid[:40]!r}; `host-agent hosts list -f json` shows those there are")
    _give(state_path, host_uuid_file, wanted, _ADOPTED)


def forget(state_path: Path) -> list[Path]:
    """Remove all that is this one machine's, before an image is taken of it; gives what was removed.

    The embedded database goes too: it holds nothing but the row of this host.

    Raises:
        IdentityError: something cannot be removed.
    """
    removed = []
    for path in (state_path / name for name in _ALL):
        try:
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise IdentityError(f"{path}: cannot be removed: {error.strerror}") from None
        removed.append(path)
    return removed


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


def _give(state_path: Path, host_uuid_file: str, new: str, code: str) -> None:
    if Path(host_uuid_file).exists():
        raise IdentityError(f"{host_uuid_file}: this host's uuid was provisioned there: change it there")
    try:
        before = _read_uuid(state_path / _UUID) or "none"
    except IdentityError:  # a file that is torn or empty is what somebody may want to mend this way
        before = "none"
    _replace(state_path / _GIVEN, f"{code} {before}")
    _replace(state_path / _UUID, new)
    for name in (_NAME, *_MEMORY):
        with contextlib.suppress(FileNotFoundError):
            (state_path / name).unlink()


def _read_given(path: Path) -> tuple[str, str] | None:
    text = _read(path)
    if text is None:
        return None
    code, _, before = text.partition(" ")
    if code not in (_RESET, _ADOPTED):
        raise IdentityError(f"{path}: not what `host-agent identity` writes: remove it")
    return code, before


def _read_uuid(path: Path) -> str | None:
    text = _read(path)
    return None if text is None else _checked_uuid(text, path)


def _make_uuid(path: Path) -> str:
    return _checked_uuid(_write_once(path, str(uuid.uuid4())), path)


def _checked_uuid(text: str, path: Path) -> str:
    known = _parsed(text)
    if known is None:
        raise IdentityError(f"{path}: not a uuid: {text[:40]!r}; restore the file, or run `host-agent identity reset`")
    return known


def _parsed(text: str) -> str | None:
    try:
        known = str(uuid.UUID(text))
    except ValueError:
        return None
    # uuid.UUID() also takes braces, no dashes and urn:; a row's key has one spelling only.
    return known if known == text.lower() else None


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
        raise IdentityError(f"{path}: the file is empty; restore it, or run `host-agent identity reset`")
    if "\n" in text:
        raise IdentityError(f"{path}: more than one line; restore it, or run `host-agent identity reset`")
    return text


def _write_once(path: Path, text: str) -> str:
    """Write a file that appears whole or not at all, and give what it holds: of two racing writers the first wins."""
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", encoding="utf-8") as draft:
            draft.write(text + "\n")
            draft.flush()
            os.fchmod(draft.fileno(), _MODE)
            give_to_owner(draft.fileno(), path.parent)
            os.fsync(draft.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(draft.name, path)
        sync_directory(path.parent)
    except OSError as error:
        raise IdentityError(f"{path}: {error.strerror}") from None
    return _read(path) or text


def _replace(path: Path, text: str) -> None:
    try:
        replace_file(path, text + "\n", mode=_MODE, sync=True)
    except OSError as error:
        raise IdentityError(f"{path}: {error.strerror}") from None
