# SPDX-License-Identifier: Apache-2.0
"""The two forms that Nova's ids have had: numbers, and uuids from version 2.53 on."""

from __future__ import annotations

import re
from uuid import UUID

__all__ = ["number_of", "uuid_of"]

_NUMBER = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_MOST = 2**63 - 1


def number_of(text: str) -> int | None:
    """Give the number that a text is; ``None`` where it is none that a row can have."""
    if _NUMBER.fullmatch(text) is None:
        return None
    number = int(text)
    return number if abs(number) <= _MOST else None


def uuid_of(text: str) -> str | None:
    """Give the uuid that a text is, as the tables have it; ``None`` where it is none."""
    return None if _UUID.fullmatch(text) is None else str(UUID(text))
