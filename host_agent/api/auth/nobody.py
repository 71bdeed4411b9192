# SPDX-License-Identifier: Apache-2.0
"""No authentication: whoever reaches the server may do everything, so `loopback` lets in this machine alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from host_agent.api.identity import Identity

__all__ = ["NoAuthentication"]

_ANYBODY = Identity(name="anybody", roles=frozenset({"admin"}))


class NoAuthentication:
    """Knows everybody as an admin; see `Authenticator`."""

    def admit(self, environ: Mapping[str, Any]) -> None:
        """Let everybody in."""

    def identify(self, environ: Mapping[str, Any]) -> Identity:
        """Give an admin."""
        return _ANYBODY

    def permits(self, identity: Identity, *, rule: str, role: str) -> bool:
        """Permit everything."""
        return True
