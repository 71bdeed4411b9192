# SPDX-License-Identifier: Apache-2.0
"""Versions of an API that clients ask for one by one, as OpenStack's do: ``2.53`` is newer than ``2.9``."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Microversion"]

_FORM = re.compile(r"([1-9]\d{0,3})\.(0|[1-9]\d{0,5})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Microversion:
    """One version of an API."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Microversion:
        """Read ``MAJOR.MINOR``.

        Raises:
            ValueError: it is something else.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no version: expected MAJOR.MINOR")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"
