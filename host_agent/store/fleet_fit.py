# SPDX-License-Identifier: Apache-2.0
"""Which hosts of a fleet can take a demand, and why the others cannot; the rules are those of `host_agent.demand`.

Conditions are asked host by host in the order of the reasons, and the nodes of a host only where nothing before spoke
against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Engine,
    Select,
    and_,
    case,
    func,
    literal,
    or_,
    select,
)

from host_agent.demand import REASONS, HostDemand
from host_agent.numa.inventory import ORDINARY
from host_agent.store.row import Row, rows
from host_agent.store.schema import HOSTS, INVENTORIES, NODES, SERVICES, TRAIT_SETS
from host_agent.store.services import is_alive
from host_agent.store.transaction import reading, retry_temporary
from host_agent.store.zones import DEFAULT_ZONE, hosts_in_zone, require_zone, zone_of

__all__ = ["FleetFit", "fitting_hosts"]


_HOST = INVENTORIES.c
_FITS = len(REASONS)
_ALL = 2**62
# Where more than one of so many hosts can take it, the best are soon found.
_MANY = 100
# Without these nobody can tell, or compare hosts.
_KNOWN = ("free_memory_mb", "free_vcpus", "floating_cpus", "node_free_bytes")


_Reason: TypeAlias = tuple[ColumnElement[bool], ColumnElement[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFit:
    """Where a demand fits.

    Attributes:
        hosts: those that can take it, the best first: their names, ``availability_zone``, and columns of usage.
        fits: how many can.
        rejected: how many cannot, by the first of `host_agent.demand.REASONS` that holds; only those that there are.
    """

    hosts: tuple[Row, ...]
    fits: int
    rejected: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """A demand in SQL, of one host.

    Attributes:
        against: the condition of each reason but for those of nodes, in their order, with the reason's number; a
            condition that is NULL does not hold.
        is_placed: that enough of its nodes take their share; ``None`` where no number of nodes is wanted.
        lacks_pages: that all its nodes together have too few huge pages, which is why it cannot be placed.
    """

    against: Sequence[_Reason]
    is_placed: ColumnElement[bool] | None = None
    lacks_pages: ColumnElement[bool] | None = None


@retry_temporary
def fitting_hosts(
    engine: Engine,
    demand: HostDemand,
    *,
    down_after_seconds: float,
    limit: int = 10,
    default_zone: str = DEFAULT_ZONE,
) -> FleetFit:
    """Tell which hosts can take a demand; retired hosts are asked nothing.

    The best is the one with the most memory left of what may be given away, as Nova's scheduler spreads; among equals
    the one with the most shared CPUs left, then the newest.

    Args:
        engine: the database.
        demand: what is wanted.
        down_after_seconds: for how long a host that is not heard of still counts as up.
        limit: so many of the best at most.
        default_zone: what the zone of hosts in none is called.

    Raises:
        GroupNotFound: the zone that is wanted is none.
        StoreError: one of its children.
    """

    def asked(*, one_by_one: bool) -> _Question:
        return _question(demand, down_after_seconds, default_zone, one_by_one=one_by_one)

    with reading(engine) as connection:
        if demand.availability_zone is not None:
            require_zone(connection, demand.availability_zone, default_zone)
        counted = connection.execute(_counts(asked(one_by_one=False)))
        counts = {int(number): int(count) for number, count in counted}
        fits, others = counts.pop(_FITS, 0), sum(counts.values())
        is_many = fits * _MANY > others
        found = rows(connection, _best(asked(one_by_one=is_many), limit, default_zone)) if fits and limit else []
    rejected = {REASONS[number]: counts[number] for number in sorted(counts)}
    return FleetFit(hosts=tuple(found), fits=fits, rejected=rejected)


def _counts(asked: _Question) -> Select[Any]:
    """Count the hosts by the number of the first reason that holds."""
    cases = [*asked.against]
    if asked.is_placed is not None:
        cases.append((asked.is_placed, literal(_FITS)))
        cases += [] if asked.lacks_pages is None else [(asked.lacks_pages, _reason("hugepages"))]
    otherwise = literal(_FITS) if asked.is_placed is None else _reason("numa_nodes")
    reasons = select(case(*cases, else_=otherwise).label("reason")).select_from(INVENTORIES)
    # A limit keeps the servers from asking everything a second time where they count.
    each = reasons.limit(_ALL).subquery("reasons")
    return select(each.c.reason, func.count()).group_by(each.c.reason)


def _best(asked: _Question, limit: int, default_zone: str) -> Select[Any]:
    # As an index has it, backwards: where many fit, few are asked.
    order = (_HOST.free_memory_mb.desc(), _HOST.free_vcpus.desc(), _HOST.id.desc())
    # CASE asks no further than it has to, and in this order; AND in whichever.
    fits = case(
        *((condition, 0) for condition, _ in asked.against),
        else_=1 if asked.is_placed is None else case((asked.is_placed, 1), else_=0),
    )
    fitting = select(_HOST.id).where(fits == 1).order_by(*order).limit(limit).subquery("fitting")
    found = INVENTORIES.join(fitting, fitting.c.id == _HOST.id).join(HOSTS, HOSTS.c.id == _HOST.id)
    figures = (column for column in _HOST if column.name in HOSTS.c and column.name not in ("id", "host"))
    zone = zone_of(_HOST.host, default_zone).label("availability_zone")
    who = (HOSTS.c.uuid, HOSTS.c.host, HOSTS.c.hypervisor_hostname)
    return select(*who, zone, *figures).select_from(found).order_by(*order)


def _question(demand: HostDemand, down_after_seconds: float, default_zone: str, *, one_by_one: bool) -> _Question:
    """Put a demand into SQL.

    Args:
        demand: what is wanted.
        down_after_seconds: as for `fitting_hosts`.
        default_zone: as for `fitting_hosts`.
        one_by_one: whether few hosts will be asked, so that the nodes of all of them are not worth reading.
    """
    against = [*_of_fleet(demand, down_after_seconds, default_zone)]
    if demand.vcpus:
        lacks_vcpus = or_(_HOST.free_vcpus < demand.vcpus, _HOST.floating_cpus < demand.vcpus)
        against.append((lacks_vcpus, _reason("vcpus")))
    if demand.pcpus:
        as_shared = and_(_HOST.pcpus == 0, _HOST.free_vcpus < demand.vcpus + demand.pcpus)
        against.append((or_(_lacks_cpus(_HOST, demand), as_shared), _reason("pcpus")))
    is_paged = demand.hugepage_size_bytes is not None
    if demand.memory_bytes:
        lacks_memory = _HOST.free_memory_mb < demand.memory_mb
        lacks_ordinary = or_(lacks_memory, _HOST.node_free_bytes < demand.memory_bytes)
        against.append((lacks_memory if is_paged else lacks_ordinary, _reason("memory")))
    lacks_pages = ~_has_pages(demand, one_by_one=one_by_one) if is_paged else None
    if demand.numa_nodes is not None:
        is_placed = _is_placed(demand, one_by_one=one_by_one)
        return _Question(against=against, is_placed=is_placed, lacks_pages=lacks_pages)
    return _Question(against=[*against, *([] if lacks_pages is None else [(lacks_pages, _reason("hugepages"))])])


def _of_fleet(demand: HostDemand, down_after_seconds: float, default_zone: str) -> Iterator[_Reason]:
    """Give the reasons that the figures of a host have nothing to do with."""
    is_down = ~is_alive(down_after_seconds)
    has_no_service = _HOST.service_id.is_(None)
    # By the few that are not available: to look each service up takes longer than all the rest.
    is_unavailable = or_(has_no_service, _is_among(or_(is_down, SERVICES.c.disabled)))
    why = case((or_(has_no_service, _is_among(is_down)), _reason("down")), else_=_reason("disabled"))
    yield is_unavailable, why
    yield or_(*(_HOST[name].is_(None) for name in _KNOWN)), _reason("unknown")
    if demand.availability_zone is not None:
        is_elsewhere = ~hosts_in_zone(_HOST.host, demand.availability_zone, default_zone)
        yield is_elsewhere, _reason("availability_zone")
    if demand.traits:
        sets = select(TRAIT_SETS.c.id)
        for name in sorted(demand.traits):
            sets = sets.where(TRAIT_SETS.c.names.contains(f" {name} ", autoescape=True))
        yield or_(_HOST.trait_set_id.is_(None), _HOST.trait_set_id.not_in(sets)), _reason("traits")


def _reason(name: str) -> ColumnElement[int]:
    return literal(REASONS.index(name))


def _is_among(which: ColumnElement[bool]) -> ColumnElement[bool]:
    return _HOST.service_id.in_(select(SERVICES.c.id).where(which))


def _lacks_cpus(has: Any, demand: HostDemand) -> ColumnElement[bool]:
    """Give the condition that CPUs lack, all taken together; those for pinning alone are taken first."""
    alone = has.pinning_cpus - has.either_cpus
    shared = case((alone < demand.pcpus, demand.pcpus - alone), else_=0)
    return or_(has.pinning_cpus < demand.pcpus, has.floating_cpus < shared + demand.vcpus)


def _has_pages(demand: HostDemand, *, one_by_one: bool) -> ColumnElement[bool]:
    """Give the condition that all nodes of a host together have the huge pages."""
    hosts = _hosts_of_nodes(demand).group_by(NODES.c.host_id)
    return _is_among_hosts(hosts.having(func.sum(NODES.c.free_bytes) >= demand.pages_bytes), one_by_one)


def _is_placed(demand: HostDemand, *, one_by_one: bool) -> ColumnElement[bool]:
    """Give the condition that enough nodes of a host take their share."""
    share, hosts = demand.of_node, _hosts_of_nodes(demand)
    if share.memory_bytes:
        hosts = hosts.where(NODES.c.free_bytes >= (share.pages_bytes or share.memory_bytes))
    if share.pcpus:
        hosts = hosts.where(~_lacks_cpus(NODES.c, share))
    elif share.vcpus:
        hosts = hosts.where(NODES.c.floating_cpus >= share.vcpus)
    if demand.numa_nodes != 1:
        hosts = hosts.group_by(NODES.c.host_id).having(func.count() >= demand.numa_nodes)
    return _is_among_hosts(hosts, one_by_one)


def _hosts_of_nodes(demand: HostDemand) -> Select[Any]:
    size = ORDINARY if demand.hugepage_size_bytes is None else demand.hugepage_size_bytes
    return select(NODES.c.host_id).where(NODES.c.page_size_bytes == size)


def _is_among_hosts(hosts: Select[Any], one_by_one: bool) -> ColumnElement[bool]:
    # All hosts' nodes are read in one go, or those of the host alone that is asked just now.
    if one_by_one:
        return hosts.where(NODES.c.host_id == _HOST.id).correlate(INVENTORIES).exists()
    return _HOST.id.in_(hosts)
