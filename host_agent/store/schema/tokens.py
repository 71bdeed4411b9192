# SPDX-License-Identifier: Apache-2.0
"""Who may use the API where no Keystone says so."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from host_agent.store.schema.base import ID_TYPE, TABLE_OPTIONS, Base, Uuid

__all__ = ["ApiTokenRow"]


class ApiTokenRow(Base):
    """A token of the API; the token itself is known to its bearer alone.

    Attributes:
        name: what operators call it.
        token_hash: SHA-256 of the token, in hexadecimal. The token is 256 random bits: nobody guesses it from that.
        role: ``reader``, ``writer`` or ``admin``.
        expires_at: from when on it is refused; NULL is never.
    """

    __tablename__ = "api_tokens"
    __table_args__ = (
        UniqueConstraint("uuid", name="uniq_api_tokens0uuid"),
        UniqueConstraint("name", name="uniq_api_tokens0name"),
        UniqueConstraint("token_hash", name="uniq_api_tokens0token_hash"),
        TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=True)
    uuid: Mapped[Uuid]
    name: Mapped[str]
    token_hash: Mapped[str] = mapped_column(String(64))
    role: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
