# SPDX-License-Identifier: Apache-2.0
"""Every path that is served, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from host_agent.api import versions
from host_agent.api.dialect import Dialect
from host_agent.api.nova import aggregates, availability_zones, hypervisors, services
from host_agent.api.nova import hosts as nova_hosts
from host_agent.api.nova.dialect import NovaDialect
from host_agent.api.operation import Operation
from host_agent.api.own import descriptions, document, events, fit, health, metrics, migrations, numa, usage, workloads
from host_agent.api.own.dialect import OwnDialect
from host_agent.api.zun import hosts as zun_hosts
from host_agent.api.zun.dialect import ZunDialect

__all__ = ["NOVA", "OWN", "ROUTES", "ZUN", "Route", "dialect_of"]

NOVA, ZUN, OWN = NovaDialect(), ZunDialect(), OwnDialect()


@dataclass(frozen=True, slots=True)
class Route:
    """One path, and what each method does there."""

    dialect: Dialect
    path: str
    operations: Mapping[str, Operation]


def _nova(path: str, **operations: Operation) -> tuple[Route, ...]:
    """Give a path of Nova's: its clients may put their project before it."""
    return tuple(Route(NOVA, f"{prefix}{path}", operations) for prefix in ("/v2.1", "/v2.1/{project_id}"))


def _zun(path: str, **operations: Operation) -> tuple[Route, ...]:
    """Give a path of Zun's: without the version too, as bookmarks are and clients of a bare endpoint ask."""
    return tuple(Route(ZUN, f"{prefix}{path}", operations) for prefix in ("/v1", ""))


def _own(path: str, **operations: Operation) -> tuple[Route, ...]:
    return (Route(OWN, path, operations),)


ROUTES: tuple[Route, ...] = (
    *_nova("/os-hypervisors", GET=hypervisors.LIST),
    *_nova("/os-hypervisors/detail", GET=hypervisors.DETAIL),
    *_nova("/os-hypervisors/statistics", GET=hypervisors.STATISTICS),
    *_nova("/os-hypervisors/{hypervisor}", GET=hypervisors.SHOW),
    *_nova("/os-hypervisors/{hypervisor}/uptime", GET=hypervisors.UPTIME),
    *_nova("/os-hypervisors/{hypervisor}/search", GET=hypervisors.SEARCH),
    *_nova("/os-hypervisors/{hypervisor}/servers", GET=hypervisors.SERVERS),
    *_nova("/os-services", GET=services.LIST),
    *_nova("/os-services/{service}", PUT=services.UPDATE, DELETE=services.DELETE),
    *_nova("/os-aggregates", GET=aggregates.LIST, POST=aggregates.CREATE),
    *_nova("/os-aggregates/{aggregate}", GET=aggregates.SHOW, PUT=aggregates.UPDATE, DELETE=aggregates.DELETE),
    *_nova("/os-aggregates/{aggregate}/action", POST=aggregates.ACT),
    *_nova("/os-availability-zone", GET=availability_zones.LIST),
    *_nova("/os-availability-zone/detail", GET=availability_zones.DETAIL),
    *_nova("/os-hosts", GET=nova_hosts.LIST),
    *_nova("/os-hosts/{host}", GET=nova_hosts.SHOW, PUT=nova_hosts.UPDATE),
    *_nova("/os-hosts/{host}/startup", GET=nova_hosts.STARTUP),
    *_nova("/os-hosts/{host}/shutdown", GET=nova_hosts.SHUTDOWN),
    *_nova("/os-hosts/{host}/reboot", GET=nova_hosts.REBOOT),
    # Which versions there are. Clients ask with and without the slash at the end.
    *_own("/", GET=versions.ROOT),
    *_own("/v{major:int}", GET=versions.OTHER),
    *_own("/v1", GET=versions.OWN),
    *_own("/v1/", GET=versions.OWN),
    Route(NOVA, "/v2.1", {"GET": versions.COMPUTE}),
    Route(NOVA, "/v2.1/", {"GET": versions.COMPUTE}),
    # Zun's client lists with the slash.
    *_zun("/hosts", GET=zun_hosts.LIST),
    *_zun("/hosts/", GET=zun_hosts.LIST),
    *_zun("/hosts/{host}", GET=zun_hosts.SHOW),
    # What neither of them has.
    *_own("/v1/hosts/{host}/numa", GET=numa.SHOW),
    *_own("/v1/hosts/{host}/document", GET=document.SHOW),
    *_own("/v1/hosts/{host}/events", GET=events.LIST_OF_HOST),
    *_own("/v1/events", GET=events.LIST),
    *_own("/v1/usage", GET=usage.SHOW),
    *_own("/v1/fit", GET=fit.SHOW),
    *_own("/v1/workloads", GET=workloads.LIST),
    *_own("/v1/workloads/{uuid}", GET=workloads.SHOW, PUT=workloads.UPDATE, DELETE=workloads.DELETE),
    *_own("/v1/migrations", GET=migrations.LIST),
    *_own("/v1/migrations/{uuid}", GET=migrations.SHOW, PUT=migrations.UPDATE, DELETE=migrations.DELETE),
    # How this service fares, and what it is.
    *_own("/healthcheck", GET=health.READY, HEAD=health.READY),
    *_own("/healthcheck/live", GET=health.LIVE, HEAD=health.LIVE),
    *_own("/healthcheck/ready", GET=health.READY, HEAD=health.READY),
    *_own("/metrics", GET=metrics.SHOW),
    *_own("/openapi.json", GET=descriptions.DOCUMENT),
    *_own("/docs", GET=descriptions.PAGE),
)


def dialect_of(path: str) -> Dialect:
    """Give the dialect of a path that is not there."""
    return NOVA if path.startswith("/v2.1") else OWN
