# SPDX-License-Identifier: Apache-2.0
"""The HTTP API: what the database says of the fleet, in the formats that clients know already.

``host_agent.api:application`` is the WSGI application of the configured settings, made when a server asks for it.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name != "application":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from host_agent.api.wsgi import configured

    globals()[name] = application = configured()
    return application
