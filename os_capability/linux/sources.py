# SPDX-License-Identifier: Apache-2.0
"""Sources: reads what a machine may lack, and remembers as warnings what it could not learn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from os_capability.cpuset import CpuSet
from os_capability.errors import InvalidCpuSet, OsCapabilityError, SourceMissing, SourceUnreadable, UnparsableText
from os_capability.linux.host_root import HostRoot
from os_capability.linux.paths import ROOT_ONLY
from os_capability.model import HostWarning
from os_capability.number import whole_number

__all__ = ["Sources"]

_Value = TypeVar("_Value")


class Sources:
    """One collection's view of a `HostRoot`.

    What a machine may lack is ``None``. What is there and cannot be read or understood is ``None`` and a warning.
    What every running machine has is an error on the live machine, and ``None`` and a warning in a captured one.
    """

    def __init__(self, root: HostRoot) -> None:
        self.root = root
        self._warnings: dict[HostWarning, None] = {}
        self._asked: set[str] = set()

    @property
    def warnings(self) -> tuple[HostWarning, ...]:
        """Each warning once, in the order in which they came."""
        return tuple(self._warnings)

    def warn(self, code: str, message: str) -> None:
        """Remember a warning."""
        self._warnings[HostWarning(code=code, message=message)] = None

    def warn_of(self, error: OsCapabilityError) -> None:
        """Remember why a source did not serve."""
        self.warn("text-unparsable" if isinstance(error, UnparsableText) else "source-unreadable", str(error))

    def still_open(self, warnings: Iterable[HostWarning]) -> list[HostWarning]:
        """Give those of an earlier collection's warnings that name no file which was asked for again."""
        names = [self.root.shown(path) for path in self._asked] if warnings else []
        starts = tuple(f"{name}{after}" for name in names for after in (": ", ", line "))
        return [warning for warning in warnings if not warning.message.startswith(starts)]

    def text(self, path: str) -> str | None:
        """Give a file's text, ``None`` where the machine lacks it; unreadable is ``None`` and a warning.

        Of what only root is shown, unreadable is ordinary and no warning.
        """
        self._asked.add(path)
        try:
            return self.root.read(path)
        except SourceMissing:
            return None
        except SourceUnreadable as error:
            if path not in ROOT_ONLY:
                self.warn_of(error)
            return None

    def required(self, path: str) -> str | None:
        """Give the text of a file that every running machine has.

        Raises:
            SourceUnreadable: this is the live machine, and the file is missing, unreadable or empty.
        """
        self._asked.add(path)
        try:
            text = self.root.read(path)
            if not text.strip("\0 \n"):
                raise SourceUnreadable(self.root.shown(path), "is empty")
            return text
        except SourceUnreadable as error:
            self.refuse(error)
            return None

    def refuse(self, error: OsCapabilityError) -> None:
        """Raise an error on the live machine; in a captured one remember it as a warning.

        Raises:
            OsCapabilityError: `error`, on the live machine.
        """
        if self.root.is_live:
            raise error
        if isinstance(error, SourceMissing):
            self.warn("source-missing", str(error))
        else:
            self.warn_of(error)

    def parsed(self, path: str, parse: Callable[[str, str], _Value]) -> _Value | None:
        """Give what `parse` makes of a file; text it does not understand is ``None`` and a warning."""
        text = self.text(path)
        if text is None:
            return None
        try:
            return parse(text, self.root.shown(path))
        except UnparsableText as error:
            self.warn_of(error)
            return None

    def cpus(self, path: str) -> CpuSet | None:
        """Give a file that holds a kernel CPU list; ``(null)``, how an unset ``nohz_full`` reads, is the empty set."""
        return self.parsed(path, _cpu_list)

    def mask(self, path: str) -> CpuSet | None:
        """Give a file that holds a kernel CPU mask."""
        return self.parsed(path, _cpu_mask)

    def count(self, path: str) -> int | None:
        """Give a file that holds one whole number."""
        return self.parsed(path, _count)

    def entries(self, path: str) -> list[str] | None:
        """Give the names in a folder, ``None`` where the machine lacks it; unreadable is ``None`` and a warning."""
        self._asked.add(path)
        try:
            return self.root.entries(path)
        except SourceMissing:
            return None
        except SourceUnreadable as error:
            self.warn_of(error)
            return None

    def exists(self, path: str) -> bool:
        """Tell whether there is such a file or folder."""
        return self.root.exists(path)

    def link(self, path: str) -> str | None:
        """Give what a symbolic link holds, ``None`` where there is no such link or it may not be read."""
        return self.root.link(path)


def _cpu_list(text: str, source: str) -> CpuSet:
    try:
        return CpuSet() if text.strip("\0 \n") == "(null)" else CpuSet.parse_list(text)
    except InvalidCpuSet as error:
        raise UnparsableText(source, 1, text.strip(), error.reason) from None


def _cpu_mask(text: str, source: str) -> CpuSet:
    try:
        return CpuSet.parse_mask(text)
    except InvalidCpuSet as error:
        raise UnparsableText(source, 1, text.strip(), error.reason) from None


def _count(text: str, source: str) -> int:
    line = text.strip("\0 \n")
    number = whole_number(line, 20)
    if number is None:
        raise UnparsableText(source, 1, line, "no whole number")
    return number
