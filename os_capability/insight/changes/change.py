# SPDX-License-Identifier: Apache-2.0
"""Change: one thing that is otherwise than it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

__all__ = ["CHANGED", "GAINED", "LOST", "Change", "altered"]

_Value = TypeVar("_Value")

GAINED, LOST, CHANGED = "gained", "lost", "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing about a machine that is otherwise than it was.

    Attributes:
        code: stable; docs/changes.md lists them.
        effect: ``gained``, ``lost`` or ``changed``.
        message: one line for a person.
        detail: the same for a program: ids, `old` and `new` as JSON values, sizes in bytes, CPU sets as list strings.
    """

    code: str
    effect: str
    message: str
    detail: Mapping[str, object] = field(hash=False)


def altered(
    code: str,
    subject: str,
    old: _Value | None,
    new: _Value | None,
    *,
    words: Callable[[_Value], str] = str,
    where: Mapping[str, object] = MappingProxyType({}),
) -> list[Change]:
    """Give the change of one value, none where it is the same or either is not known.

    `words` says a value to a person; `where` is what the detail names besides the values.
    """
    if old is None or new is None or old == new:
        return []
    message = f"{subject} {words(old)} -> {words(new)}"
    return [Change(code=code, effect=CHANGED, message=message, detail={**where, "old": old, "new": new})]
