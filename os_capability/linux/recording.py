# SPDX-License-Identifier: Apache-2.0
"""A root that remembers what a collection asks of it: whatever is read becomes part of a capture by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from os_capability.errors import SourceMissing, SourceUnreadable
from os_capability.linux.host_root import HostRoot

__all__ = ["Recording", "RecordingRoot", "folders_above"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a machine answered, by path relative to its root.

    Attributes:
        texts: files that were read.
        links: what symbolic links hold that were asked for.
        folders: folders that were listed or lie on the way to anything asked for, also to what was not there.
        unreadable: what exists and could not be read.
    """

    texts: dict[str, str]
    links: dict[str, str]
    folders: frozenset[str]
    unreadable: frozenset[str]


class RecordingRoot(HostRoot):
    """A `HostRoot` that gives the same answers and keeps them.

    Raises:
        InvalidRoot: as for `HostRoot`.
    """

    __slots__ = ("_asked", "_folders_found", "_links", "_texts", "_unreadable")

    def __init__(self, path: str, shown_as: str | None = None) -> None:
        super().__init__(path, shown_as)
        self._asked: set[str] = set()
        self._texts: dict[str, str] = {}
        self._links: dict[str, str] = {}
        self._unreadable: set[str] = set()
        self._folders_found: dict[str, bool] = {}

    def read(self, path: str) -> str:
        """Give a file's text; see `HostRoot.read`."""
        self._asked.add(path)
        try:
            text = super().read(path)
        except SourceMissing:
            raise
        except SourceUnreadable:
            self._unreadable.add(path)
            raise
        self._texts[path] = text
        return text

    def entries(self, path: str) -> list[str]:
        """Give the names in a folder; see `HostRoot.entries`."""
        self._asked.add(path)
        try:
            names = super().entries(path)
        except SourceMissing:
            raise
        except SourceUnreadable:
            self._unreadable.add(path)
            raise
        # A folder or link says something by being there (cpu7, node1/memory33); a file only when it is read.
        for name in names:
            child = f"{path}/{name}"
            if self._is_folder(child):
                self._asked.add(child)
            elif (target := super().link(child)) is not None:
                self._links[child] = target
        return names

    def exists(self, path: str) -> bool:
        """Tell whether there is such a file or folder; see `HostRoot.exists`."""
        self._asked.add(path)
        there = super().exists(path)
        if there and not self._is_folder(path):
            # Only that it is there was asked.
            self._texts.setdefault(path, "")
        return there

    def link(self, path: str) -> str | None:
        """Give what a symbolic link holds; see `HostRoot.link`."""
        self._asked.add(path)
        target = super().link(path)
        if target is not None:
            self._links[path] = target
        return target

    def recording(self) -> Recording:
        """Give everything that was asked for until now."""
        folders = {folder for path in self._asked for folder in (path, *folders_above(path)) if self._is_folder(folder)}
        return Recording(
            texts=dict(self._texts),
            links=dict(self._links),
            folders=frozenset(folders - self._links.keys()),
            unreadable=frozenset(self._unreadable - folders),
        )

    def _is_folder(self, path: str) -> bool:
        known = self._folders_found.get(path)
        if known is None:
            try:
                super().entries(path)
                known = True
            except SourceUnreadable:
                known = False
            self._folders_found[path] = known
        return known


def folders_above(path: str) -> Iterator[str]:
    """Yield the folders that lead to a path, the nearest first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
