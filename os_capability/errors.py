# SPDX-License-Identifier: Apache-2.0
"""Everything that can go wrong while reading a machine, as a small family of exceptions."""

from __future__ import annotations

__all__ = [
    "InvalidCpuSet",
    "InvalidDocument",
    "InvalidRoot",
    "InvalidSize",
    "MissingPackage",
    "MissingProgram",
    "OsCapabilityError",
    "SourceMissing",
    "SourceUnreadable",
    "UnparsableText",
]


class OsCapabilityError(Exception):
    """Base of every error this library raises on purpose; its text is one line a person can act on."""


class InvalidRoot(OsCapabilityError):
    """The root handed to us is not a directory that holds a machine."""

    def __init__(self, root: str, reason: str) -> None:
        super().__init__(f"{root}: {reason}")
        self.root = root
        self.reason = reason


class SourceUnreadable(OsCapabilityError):
    """We could not look: a file or a program that has the facts did not give them."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason


class SourceMissing(SourceUnreadable):
    """The file does not exist, or the kernel does not offer it on this machine."""


class MissingProgram(SourceUnreadable):
    """The program is not there."""


class MissingPackage(OsCapabilityError):
    """The Python package that reads this operating system is not installed: names the extra that brings it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"the package {package}, which reads this system, is not installed: pip install 'os-capability[{extra}]'"
        )
        self.package = package
        self.extra = extra


class UnparsableText(OsCapabilityError):
    """We looked and did not understand: names the source and the line number, and quotes the line."""

    def __init__(self, source: str, line_number: int, line: str, reason: str) -> None:
        super().__init__(f"{source}, line {line_number}: {reason}: {_shortened(line)!r}")
        self.source = source
        self.line_number = line_number
        self.line = line
        self.reason = reason


class InvalidCpuSet(OsCapabilityError, ValueError):
    """The text is not a kernel CPU list or mask."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f"not a CPU set: {_shortened(text)!r}: {reason}")
        self.text = text
        self.reason = reason


class InvalidSize(OsCapabilityError, ValueError):
    """The text is not a size."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{_shortened(text)!r} is no size; write bytes, or a size like 512M, 4G or 4GiB")
        self.text = text


class InvalidDocument(OsCapabilityError, ValueError):
    """The JSON document is not one of ours: names the path of the key at fault."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"document key {_shortened(path)}: {_shortened(reason, 200)}")
        self.path = path
        self.reason = reason


def _shortened(text: str, length: int = 80) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."
