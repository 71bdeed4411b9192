# SPDX-License-Identifier: Apache-2.0
"""Tokens that ``host-agent token create`` made: whoever bears one is what the token's role says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from host_agent import store
from host_agent.api.errors import Unauthorized
from host_agent.api.identity import Identity
from host_agent.api.operation import ADMIN, READER, WRITER
from host_agent.store.engine import Engine

__all__ = ["TokenAuthentication"]

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="os-capability"'}
_RANKS = {role: rank for rank, role in enumerate((READER, WRITER, ADMIN))}
_LONGEST = 255


class TokenAuthentication:
    """Knows the bearers of stored tokens; see `Authenticator`.

    Each request is one look-up by an index: a token that is deleted lets nobody in any more.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def admit(self, environ: Mapping[str, Any]) -> None:
        """Let everybody in: a browser adds no token by itself."""

    def identify(self, environ: Mapping[str, Any]) -> Identity:
        """Give the bearer of ``X-Auth-Token``, or of ``Authorization: Bearer``.

        Raises:
            Unauthorized: there is no token, or none that is good.
            StoreError: the database does not answer.
        """
        token = _sent(environ)
        bearer = store.bearer_of_token(self._engine, token) if 0 < len(token) <= _LONGEST else None
        if bearer is None:
            raise Unauthorized("The request you have made requires authentication.", headers=_CHALLENGE)
        return Identity(name=f"token {bearer.name}", roles=frozenset({bearer.role}), key=bearer.uuid)

    def permits(self, identity: Identity, *, rule: str, role: str) -> bool:
        """Tell whether the token's role is this one, or one above."""
        return any(_RANKS[has] >= _RANKS[role] for has in identity.roles)


def _sent(environ: Mapping[str, Any]) -> str:
    token: str = environ.get("HTTP_X_AUTH_TOKEN", "")
    if token:
        return token.strip()
    scheme, _, credentials = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else ""
