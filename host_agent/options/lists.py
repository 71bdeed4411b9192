# SPDX-License-Identifier: Apache-2.0
"""Readers of options that hold several things, separated by commas."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

__all__ = ["addresses", "directories", "engines", "labels", "pci_classes"]

_ADDRESS = re.compile(r"[^\s:]+:\d{1,5}|\[[0-9A-Fa-f:.]+\]:\d{1,5}", re.ASCII)
_PCI_CLASS = re.compile(r"([0-9a-f]{4}:[0-9a-f]{4})\s*=\s*(CUSTOM_[A-Z0-9_]{1,248})", re.ASCII)


def engines(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """Give the reader of a list of engines among `known`; ``none`` is the empty list."""

    def read(text: str) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(name.lower() for name in _parts(text)))
        if names == ("none",):
            return ()
        for name in names:
            if name not in known:
                raise ValueError(f"{name!r} is no engine")
        return names

    return read


def directories(text: str) -> tuple[str, ...]:
    """Read a list of absolute paths.

    Raises:
        ValueError: one is not absolute.
    """
    paths = tuple(dict.fromkeys(_parts(text)))
    for path in paths:
        if not path.startswith("/"):
            raise ValueError(f"{path!r} is no absolute path")
    return paths


def addresses(text: str) -> tuple[str, ...]:
    """Read a list of ``HOST:PORT``.

    Raises:
        ValueError: one is something else.
    """
    places = tuple(dict.fromkeys(_parts(text)))
    for place in places:
        if not _ADDRESS.fullmatch(place):
            raise ValueError(f"{place!r} is no HOST:PORT")
    return places


def labels(text: str) -> Mapping[str, str]:
    """Read ``key=value,key=value``.

    Raises:
        ValueError: a key is empty or has a blank in it, stands there twice, or has no value.
    """
    pairs: dict[str, str] = {}
    for part in _parts(text):
        key, equals, value = (word.strip() for word in part.partition("="))
        if not equals or not re.fullmatch(r"\S{1,255}", key):
            raise ValueError(f"{part!r} is no key=value")
        if key in pairs:
            raise ValueError(f"{key!r} is given twice")
        pairs[key] = value
    return MappingProxyType(pairs)


def pci_classes(text: str) -> Mapping[str, str]:
    """Read ``vendor:product=CUSTOM_CLASS,...``; the ids become lower case, as the machine writes them.

    Raises:
        ValueError: an element is something else, or a device stands there twice.
    """
    classes: dict[str, str] = {}
    for part in _parts(text):
        device, equals, name = part.partition("=")
        found = _PCI_CLASS.fullmatch(f"{device.strip().lower()}{equals}{name.strip()}")
        if found is None:
            raise ValueError(f"{part!r} is no vendor:product=CUSTOM_CLASS")
        if found[1] in classes:
            raise ValueError(f"{found[1]} is given twice")
        classes[found[1]] = found[2]
    return MappingProxyType(classes)


def _parts(text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise ValueError("nothing is listed")
    return parts
