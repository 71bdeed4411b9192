# SPDX-License-Identifier: Apache-2.0
"""Database URLs: the embedded one, and what of any other may be shown."""

from __future__ import annotations

from pathlib import Path

__all__ = ["DATABASE_FILE", "embedded_url", "hide_password"]

DATABASE_FILE = "os-capability.sqlite"


def embedded_url(state_path: Path) -> str:
    """Give the URL of the SQLite file that serves where no other database is named."""
    return f"sqlite:///{state_path / DATABASE_FILE}"


def hide_password(url: str) -> str:
    """Give a database URL that may be shown: without its password, and without its query, which may hold one too."""
    scheme, separator, rest = url.partition("://")
    place, _, query = rest.partition("?")
    if not separator or "@" in query:
        # No URL, or one whose password has a ? of its own: nobody can tell what of it is secret.
        return f"{scheme}://***" if separator else "***"
    credentials, at, address = place.rpartition("@")
    user, colon, _password = credentials.partition(":")
    return f"{scheme}://{user}{colon and ':***'}{at}{address}"
