# SPDX-License-Identifier: Apache-2.0
"""Who sends a request, and what he may do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

__all__ = ["Authenticator", "Identity", "WsgiApplication"]

WsgiApplication: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who sends a request.

    Attributes:
        name: for the log.
        roles: as whoever vouches for the sender tells them.
        credentials: what a policy is held against.
        key: tells one client from another; empty where nobody vouches for anybody.
    """

    name: str
    roles: frozenset[str] = frozenset()
    credentials: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""


class Authenticator(Protocol):
    """Tells who sends a request, and what he may do."""

    def admit(self, environ: Mapping[str, Any]) -> None:
        """Let a request in at all, also one that anybody may send.

        Raises:
            Forbidden: it comes from where none may come from.
        """

    def identify(self, environ: Mapping[str, Any]) -> Identity:
        """Tell who sent the request of a WSGI environment.

        Raises:
            Unauthorized: nobody that is known.
            Unavailable: whoever could tell does not answer.
        """

    def permits(self, identity: Identity, *, rule: str, role: str) -> bool:
        """Tell whether somebody may do what has this policy, and this least role of a token."""
