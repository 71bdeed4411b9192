# SPDX-License-Identifier: Apache-2.0
"""Who may use the API where no Keystone says so."""

from __future__ import annotations

from sqlalchemy import Column, String, UniqueConstraint

from host_agent.store.schema.base import ID_TYPE, NAME, UUID, UtcDateTime, table

__all__ = ["API_TOKENS"]

# A token of the API; the token itself is known to its bearer alone.
#
# name: what operators call it.
# token_hash: SHA-256 of the token, in hexadecimal. The token is 256 random bits: nobody guesses it from that.
# role: ``reader``, ``writer`` or ``admin``.
# expires_at: from when on it is refused; NULL is never.
API_TOKENS = table(
    "api_tokens",
    Column("id", ID_TYPE, primary_key=True, autoincrement=True),
    Column("uuid", UUID, nullable=False),
    Column("name", NAME, nullable=False),
    Column("token_hash", String(64), nullable=False),
    Column("role", NAME, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    UniqueConstraint("uuid", name="uniq_api_tokens0uuid"),
    UniqueConstraint("name", name="uniq_api_tokens0name"),
    UniqueConstraint("token_hash", name="uniq_api_tokens0token_hash"),
)
