# SPDX-License-Identifier: Apache-2.0
"""This machine alone: no other, and no web page that a browser on this machine shows.

A page's script reaches the loopback too. Where its server's name resolves to 127.0.0.1 (DNS rebinding) the browser
takes us for that server and names it in ``Host``; where it just sends a request, the browser names the page in
``Origin``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from host_agent.api.auth.nobody import NoAuthentication
from host_agent.api.errors import Forbidden

__all__ = ["LoopbackOnly", "is_loopback_name"]

# A proxy adds them: nobody can tell which machine it speaks for.
_FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR")
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class LoopbackOnly(NoAuthentication):
    """Knows everybody on this machine as an admin, and lets in nobody else; see `Authenticator`."""

    def admit(self, environ: Mapping[str, Any]) -> None:
        """Refuse what comes from elsewhere.

        Raises:
            Forbidden: another machine sent it, or a web page did.
        """
        is_forwarded = any(name in environ for name in _FORWARDED)
        # Also under another server than ours, which may listen anywhere.
        if is_forwarded or not is_loopback_name(environ.get("REMOTE_ADDR", "")):
            raise Forbidden("Without authentication this server answers its own machine alone.")
        host = environ.get("HTTP_HOST", "")
        if host and not is_loopback_name(_name_of(host)):
            raise Forbidden("Without authentication this server answers to localhost alone, not to another name.")
        origin = environ.get("HTTP_ORIGIN")
        if environ["REQUEST_METHOD"] not in _READS and origin is not None and origin.partition("://")[2] != host:
            raise Forbidden("Without authentication this server takes nothing from the pages of others.")


def is_loopback_name(name: str) -> bool:
    """Tell whether a name or an address, an IPv6 one with or without brackets, is this machine's to itself."""
    if name.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _name_of(host: str) -> str:
    """Give a ``Host`` without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
