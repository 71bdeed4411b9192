# SPDX-License-Identifier: Apache-2.0
"""Uuids as people and programs write them."""

from __future__ import annotations

from uuid import UUID

__all__ = ["canonical_uuid"]


def canonical_uuid(text: str) -> str | None:
    """Give a uuid as the tables have it, whatever form it comes in; ``None`` where it is none."""
    try:
        return str(UUID(text))
    except ValueError:
        return None
