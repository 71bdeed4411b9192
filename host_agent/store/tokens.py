# SPDX-License-Identifier: Apache-2.0
"""Table ``api_tokens``: who may use the API where no Keystone says so.

A token is told once, when it is made; here only its SHA-256 is kept, and looked up by. The token is 256 random bits, so
nobody finds it from the hash, or learns from how long a look-up takes.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, RowMapping, delete, insert, or_, select

from host_agent.errors import TokenExists, TokenNotFound
from host_agent.store.row import now
from host_agent.store.schema import API_TOKENS
from host_agent.store.transaction import reading, retry_temporary, transaction
from host_agent.store.upsert import utc_now

__all__ = ["TOKEN_ROLES", "ApiToken", "bearer_of_token", "create_token", "delete_token", "list_tokens"]

TOKEN_ROLES = ("reader", "writer", "admin")

_BYTES = 32
_COLUMNS = [API_TOKENS.c[name] for name in ("uuid", "name", "role", "created_at", "expires_at")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """What is known of a token; the token itself is not.

    Attributes:
        expires_at: from when on it is refused; ``None`` is never.
        is_expired: by the database's clock, when this was read.
    """

    uuid: str
    name: str
    role: str
    created_at: datetime
    expires_at: datetime | None
    is_expired: bool = False


def create_token(engine: Engine, name: str, role: str, *, lifetime: timedelta | None = None) -> str:
    """Make a token and give it: this is the only time that it is told.

    Args:
        engine: the database.
        name: what operators call it; no other has it.
        role: one of `TOKEN_ROLES`.
        lifetime: how long it is good for; ``None`` is until it is deleted.

    Raises:
        TokenExists: another one has the name.
        StoreError: one of its children.
    """
    assert role in TOKEN_ROLES
    token = secrets.token_urlsafe(_BYTES)
    _store(engine, name, role, _hash(token), lifetime)
    return token


@retry_temporary
def _store(engine: Engine, name: str, role: str, token_hash: str, lifetime: timedelta | None) -> None:
    with transaction(engine) as connection:
        same_name = select(API_TOKENS.c.token_hash).where(API_TOKENS.c.name == name)
        stored = connection.scalar(same_name)
        if stored == token_hash:
            return  # committed by a try whose connection broke before it could say so
        if stored is not None:
            raise TokenExists(name)
        moment = now(connection)
        values = {
            "uuid": str(uuid.uuid4()),
            "name": name,
            "token_hash": token_hash,
            "role": role,
            "created_at": moment,
            "expires_at": None if lifetime is None else moment + lifetime,
        }
        connection.execute(insert(API_TOKENS).values(values))


@retry_temporary
def list_tokens(engine: Engine) -> list[ApiToken]:
    """Give every token, by name.

    Raises:
        StoreError: one of its children.
    """
    with reading(engine) as connection:
        moment = now(connection)
        rows = connection.execute(select(*_COLUMNS).order_by(API_TOKENS.c.name)).mappings()
        return [_token(row, moment) for row in rows]


@retry_temporary
def bearer_of_token(engine: Engine, token: str) -> ApiToken | None:
    """Give what is known of a token somebody sent; ``None`` where there is none such, or it has expired.

    Raises:
        StoreError: one of its children.
    """
    is_good = or_(API_TOKENS.c.expires_at.is_(None), API_TOKENS.c.expires_at > utc_now())
    query = select(*_COLUMNS).where(API_TOKENS.c.token_hash == _hash(token), is_good)
    with reading(engine) as connection:
        row = connection.execute(query).mappings().first()
    return None if row is None else ApiToken(**row)


@retry_temporary
def delete_token(engine: Engine, name: str) -> None:
    """Delete a token: nobody is let in by it from now on.

    Raises:
        TokenNotFound: there is none of that name.
        StoreError: one of its children.
    """
    with transaction(engine) as connection:
        if connection.execute(delete(API_TOKENS).where(API_TOKENS.c.name == name)).rowcount == 0:
            raise TokenNotFound(name)


def _hash(token: str) -> str:
    # A header may hold any bytes, and WSGI gives each as the letter of that number.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _token(row: RowMapping, moment: datetime) -> ApiToken:
    expires_at = row["expires_at"]
    return ApiToken(**row, is_expired=expires_at is not None and expires_at <= moment)
