# SPDX-License-Identifier: Apache-2.0
"""Everything that can go wrong in the agent, as a small family of exceptions."""

from __future__ import annotations

__all__ = [
    "ConfigError",
    "HostAgentError",
    "IdentityError",
    "InvalidDatabaseUrl",
    "InvalidRecord",
    "SchemaOutdated",
    "SchemaTooNew",
    "StoreBusy",
    "StoreConnectionLost",
    "StoreError",
    "StoreReadOnly",
    "StoreUnreachable",
    "UnknownMarker",
]


class HostAgentError(Exception):
    """Base of every error the agent raises on purpose; its text is one line a person can act on."""


class InvalidRecord(HostAgentError, ValueError):
    """The facts do not describe a host: writing them would overwrite a good row with an empty one."""


class StoreError(HostAgentError):
    """The database did not do what we asked: names the url without its password, and the reason."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url}: {reason}" if url else reason)
        self.url = url
        self.reason = reason


class InvalidDatabaseUrl(StoreError):
    """The url is none, or names a kind of database there is no support for."""


class StoreUnreachable(StoreError):
    """No connection: nobody listens, the credentials are wrong, the file cannot be opened."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, f"{reason}: make it reachable, or give another with --database-url")


class StoreConnectionLost(StoreError):
    """The connection broke while we used it; another one may work at once."""


class StoreBusy(StoreError):
    """Another writer was in the way (deadlock, lock, serialization failure); the same call may work at once."""


class StoreReadOnly(StoreError):
    """The database can be read and not written: a replica, a read-only file, a read-only role."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, f"the database is read-only ({reason}): name the primary, or make it writable")


class SchemaOutdated(StoreError):
    """The tables are older than this program, or not there at all."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, f"{reason}: run `host-agent db upgrade`")


class SchemaTooNew(StoreError):
    """The tables were made by a newer program."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, f"{reason}: install the newer host-agent here too")


class UnknownMarker(HostAgentError):
    """The marker of a page is no row's uuid."""

    def __init__(self, marker: str) -> None:
        super().__init__(f"no host has the uuid {marker!r} given as marker: start again without a marker")
        self.marker = marker


class ConfigError(HostAgentError):
    """A setting is unknown or wrong: names the place, the option, its value and what is allowed."""


class IdentityError(HostAgentError):
    """The state directory does not say who this host is: names the file."""
