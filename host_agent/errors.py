# SPDX-License-Identifier: Apache-2.0
"""Everything that can go wrong in the agent, as a small family of exceptions."""

from __future__ import annotations

from datetime import datetime

__all__ = [
    "AggregateConflict",
    "AggregateExists",
    "AggregateNotFound",
    "AmbiguousHost",
    "ConfigError",
    "DuplicateHost",
    "HostAgentError",
    "HostIsMember",
    "HostNotFound",
    "HostRetired",
    "IdentityError",
    "InvalidAggregate",
    "InvalidDatabaseUrl",
    "InvalidRecord",
    "InvalidWorkload",
    "LeaseLost",
    "NameTaken",
    "ReportRefused",
    "SchemaOutdated",
    "SchemaTooNew",
    "ServiceInUse",
    "ServiceNotFound",
    "StoreBusy",
    "StoreConnectionLost",
    "StoreError",
    "StoreReadOnly",
    "StoreUnreachable",
    "TokenExists",
    "TokenNotFound",
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

    def __init__(self, url: str, reason: str, advice: str | None = None) -> None:
        super().__init__(url, f"{reason}: {advice or 'make it reachable, or give another with --database-url'}")


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

    def __init__(self, marker: str, kind: str = "host") -> None:
        super().__init__(f"no {kind} has the uuid {marker!r} given as marker: start again without a marker")


class ConfigError(HostAgentError):
    """A setting is unknown or wrong: names the place, the option, its value and what is allowed."""


class IdentityError(HostAgentError):
    """The state directory does not say who this host is: names the file."""


class ReportRefused(HostAgentError):
    """The database works and does not take this host's reports: says why, and what an operator can do."""


class HostRetired(ReportRefused):
    """An operator retired the host."""

    def __init__(self, uuid: str) -> None:
        super().__init__(f"host {uuid} is retired: `host-agent hosts retire --undo {uuid}` takes it back")


class DuplicateHost(ReportRefused):
    """Another boot that is alive reports under the same uuid: a cloned image, or the same machine before its reboot.

    Attributes:
        last_seen_up: when the other was heard last, by the database's clock. If that moves on while we wait, the
            other is alive, and this is no reboot.
    """

    def __init__(self, uuid: str, other_boot_id: str, other_host: str, last_seen_up: datetime) -> None:
        super().__init__(
            f"host {uuid} is alive elsewhere, as {other_host!r} with boot id {other_boot_id}: if this machine was "
            "cloned from it, run `host-agent identity reset` here"
        )
        self.uuid = uuid
        self.other_boot_id = other_boot_id
        self.other_host = other_host
        self.last_seen_up = last_seen_up


class AmbiguousHost(ReportRefused):
    """This machine lost its uuid, and a stored host resembles it in one way and differs in another."""

    def __init__(self, reason: str, other_uuid: str) -> None:
        super().__init__(
            f"{reason}: if this is that host, run `host-agent identity adopt {other_uuid}`, "
            "if it is another one, `host-agent identity reset`"
        )


class NameTaken(ReportRefused):
    """Another host that is alive has the name that this one wants in the ``host`` columns."""

    def __init__(self, host: str, other_service_uuid: str) -> None:
        super().__init__(
            f"the name {host!r} is in use by another host that is alive (service {other_service_uuid}): "
            "give this one another by the option host, or wait until that is down if it was this machine"
        )


class LeaseLost(ReportRefused):
    """The host's row in ``services`` is not held by this boot any more: register again."""

    def __init__(self, uuid: str) -> None:
        super().__init__(f"host {uuid} has to register again before it reports")


class InvalidWorkload(HostAgentError):
    """A workload or a migration that can be none, whatever else is stored."""


class InvalidAggregate(HostAgentError, ValueError):
    """A name, zone or metadata that no aggregate can have: says which, and what is allowed."""


class AggregateNotFound(HostAgentError):
    """No aggregate has the id."""

    def __init__(self, aggregate_id: int) -> None:
        super().__init__(f"no aggregate has the id {aggregate_id}")


class GroupNotFound(HostAgentError):
    """No availability zone, or no aggregate, has the name."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"no {kind} is called {name!r}")


class HostNotFound(HostAgentError):
    """No host has the name, or none in this aggregate."""


class AggregateExists(HostAgentError):
    """Another aggregate has the name or the uuid.

    Attributes:
        name: of that one.
    """

    def __init__(self, aggregate_id: int, name: str, uuid: str) -> None:
        super().__init__(f"aggregate {aggregate_id} has the name {name!r} and the uuid {uuid}")
        self.name = name


class AggregateConflict(HostAgentError):
    """The aggregate cannot be changed so as things stand: names the hosts or the zone in the way."""


class HostIsMember(AggregateConflict):
    """The host is in the aggregate already."""

    def __init__(self, host: str, aggregate: str) -> None:
        super().__init__(f"host {host!r} is in the aggregate {aggregate!r} already")


class ServiceNotFound(HostAgentError):
    """No service has the id or the uuid."""

    def __init__(self, service: int | str) -> None:
        super().__init__(f"no service has the {'id' if isinstance(service, int) else 'uuid'} {service}")


class ServiceInUse(HostAgentError):
    """The service cannot be deleted as long as there is something on its host, or on its way there or from there.

    Attributes:
        workloads: how many are recorded for the host.
        migrations: how many from or to it are in progress.
    """

    def __init__(self, host: str, *, workloads: int, migrations: int) -> None:
        super().__init__(
            f"host {host!r} has {workloads} workloads and {migrations} migrations in progress: move or delete them, "
            "and finish those"
        )
        self.workloads = workloads
        self.migrations = migrations


class TokenExists(HostAgentError):
    """Another token of the API has the name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a token called {name!r} already: delete it first, or give this one another name")


class TokenNotFound(HostAgentError):
    """No token of the API has the name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no token is called {name!r}: `host-agent token list` shows them")
