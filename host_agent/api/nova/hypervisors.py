# SPDX-License-Identifier: Apache-2.0
"""``os-hypervisors``: hosts, and what runs there; what they have and what of it is used, until 2.87."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from host_agent import store
from host_agent.api.errors import BadRequest, NotFound, NotImplementedHere
from host_agent.api.nova import hypervisor_schemas as schemas
from host_agent.api.nova.dialect import OLDEST
from host_agent.api.nova.hypervisor_views import UPTIME_COLUMNS, View, servers_of, uptime_of, view_of
from host_agent.api.nova.ids import number_of, uuid_of
from host_agent.api.nova.paging import next_links, page_length
from host_agent.api.nova.schemas import TRUE_WORDS
from host_agent.api.operation import Call, Operation, Variant
from host_agent.errors import UnknownMarker

__all__ = ["DETAIL", "LIST", "SEARCH", "SERVERS", "SHOW", "STATISTICS", "UPTIME"]

_Id: TypeAlias = int | str
_Body: TypeAlias = dict[str, object]


def _list(call: Call, *, detailed: bool) -> _Body:
    view = _view(call, detailed=detailed)
    hosts = store.list_hypervisors(call.engine, view.columns, down_after_seconds=_down_after(call))
    return {"hypervisors": _told(call, view, hosts)}


def _page(call: Call, *, detailed: bool, id_of: Callable[[str], _Id | None], servers: bool = False) -> _Body:
    view = _view(call, detailed=detailed)
    marker = call.parameter("marker")
    after = None if marker is None else id_of(marker)
    try:
        if marker is not None and after is None:
            raise UnknownMarker(marker)
        hosts = store.list_hypervisors(
            call.engine,
            _columns(view, servers),
            down_after_seconds=_down_after(call),
            limit=page_length(call),
            marker=after,
        )
    except UnknownMarker:
        raise BadRequest(f"marker [{marker}] not found") from None
    told = _told(call, view, hosts, servers)
    links = next_links(call, [host["id"] for host in told])
    return {"hypervisors": told, "hypervisors_links": links} if links else {"hypervisors": told}


def _page_or_matching(call: Call, *, detailed: bool) -> _Body:
    servers = _wants_servers(call)
    pattern = call.parameter("hypervisor_hostname_pattern")
    if pattern is None:
        return _page(call, detailed=detailed, id_of=uuid_of, servers=servers)
    if "limit" in call.query or call.parameter("marker"):
        # Nova's words for it: it has no pages of what matches.
        raise BadRequest(
            "The server could not comply with the request since it is either malformed or otherwise incorrect."
        )
    return _matching(call, pattern, detailed=detailed, servers=servers)


def _search(call: Call, *, servers: bool = False) -> _Body:
    return _matching(call, call.path["hypervisor"], servers=servers)


def _matching(call: Call, pattern: str, *, detailed: bool = False, servers: bool = False) -> _Body:
    view = _view(call, detailed=detailed)
    hosts = store.find_hypervisors(call.engine, _columns(view, servers), pattern, down_after_seconds=_down_after(call))
    if not hosts:
        raise NotFound(f"No hypervisor matching '{pattern}' could be found.")
    return {"hypervisors": _told(call, view, hosts, servers)}


def _statistics(call: Call) -> _Body:
    return {"hypervisor_statistics": store.hypervisor_statistics(call.engine)}


def _show_by_number(call: Call) -> _Body:
    return _shown(call, _wanted_number(call))


def _show_by_uuid(call: Call) -> _Body:
    return _shown(call, _wanted_uuid(call), servers=_wants_servers(call))


def _shown(call: Call, wanted: _Id, *, servers: bool = False) -> _Body:
    view = _view(call, detailed=True)
    host = _host(call, _columns(view, servers), wanted)
    return {"hypervisor": _told(call, view, [host], servers)[0]}


def _uptime(call: Call, *, wanted: Callable[[Call], _Id]) -> _Body:
    view = _view(call)
    host = _host(call, tuple(dict.fromkeys((*view.columns, "host", *UPTIME_COLUMNS))), wanted(call))
    if not host["is_alive"]:
        raise BadRequest(f"Compute service of {host['host']} is unavailable at this time.")
    uptime = uptime_of(host)
    if uptime is None:
        # The one error here that clients pass over.
        raise NotImplementedHere("The requested functionality is not supported.")
    return {"hypervisor": view(host) | {"uptime": uptime}}


def _host(call: Call, columns: tuple[str, ...], wanted: _Id) -> store.Row:
    host = store.get_hypervisor(call.engine, columns, wanted, down_after_seconds=_down_after(call))
    if host is None:
        raise _no_such_host(call)
    return host


def _wanted_number(call: Call) -> _Id:
    number = number_of(call.path["hypervisor"])
    if number is None:
        raise _no_such_host(call)
    return number


def _wanted_uuid(call: Call) -> _Id:
    uuid = uuid_of(call.path["hypervisor"])
    if uuid is None:
        raise BadRequest(f"Invalid uuid {call.path['hypervisor']}")
    return uuid


def _no_such_host(call: Call) -> NotFound:
    return NotFound(f"Hypervisor with ID '{call.path['hypervisor']}' could not be found.")


def _told(call: Call, view: View, hosts: Sequence[store.Row], servers: bool = False) -> list[_Body]:
    """Give the wire form of hosts; of their servers too, where those were asked for."""
    told = [view(host) for host in hosts]
    if servers:
        names: dict[Any, Any] = {host["uuid"]: host["host"] for host in hosts}
        running = store.hypervisor_servers(call.engine, names)
        for host, uuid in zip(told, names, strict=True):
            host |= servers_of(running.get(uuid, []), call.version or OLDEST)
    return told


def _view(call: Call, *, detailed: bool = False) -> View:
    return view_of(call.version or OLDEST, detailed=detailed)


def _columns(view: View, servers: bool) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*view.columns, "uuid", "host"))) if servers else view.columns


def _wants_servers(call: Call) -> bool:
    """Tell whether ``with_servers`` says yes."""
    return call.parameter("with_servers") in TRUE_WORDS


def _down_after(call: Call) -> float:
    return call.settings.agent.down_after


def _lists(*, detailed: bool) -> tuple[Variant, ...]:
    return (
        Variant(
            partial(_list, detailed=detailed), until="2.32", returns=schemas.hosts(until="2.32", detailed=detailed)
        ),
        Variant(
            partial(_page, detailed=detailed, id_of=number_of),
            since="2.33",
            until="2.52",
            query=schemas.PAGE_QUERY,
            returns=schemas.page("2.33", "2.52", detailed=detailed),
        ),
        Variant(
            partial(_page_or_matching, detailed=detailed),
            since="2.53",
            query=schemas.LIST_QUERY,
            returns=schemas.page("2.53", detailed=detailed, servers=True),
        ),
    )


_POLICY = "os_compute_api:os-hypervisors"

LIST = Operation("List the hosts.", _lists(detailed=False), rule=f"{_POLICY}:list", faults=(404,))
DETAIL = Operation("List the hosts in detail.", _lists(detailed=True), rule=f"{_POLICY}:list-detail", faults=(404,))
STATISTICS = Operation(
    "Sum up the hosts whose service is enabled.",
    (Variant(_statistics, until="2.87", returns=schemas.STATISTICS),),
    rule=f"{_POLICY}:statistics",
)
SHOW = Operation(
    "Show a host.",
    (
        Variant(_show_by_number, until="2.52", returns=schemas.shown(until="2.52")),
        Variant(
            _show_by_uuid,
            since="2.53",
            query=schemas.SHOW_QUERY,
            returns=schemas.shown("2.53", servers=True),
        ),
    ),
    rule=f"{_POLICY}:show",
    faults=(404,),
)
UPTIME = Operation(
    "Tell since when a host is up, how many people are logged in and how loaded it is.",
    (
        Variant(partial(_uptime, wanted=_wanted_number), until="2.52", returns=schemas.uptime(None, "2.52")),
        Variant(
            partial(_uptime, wanted=_wanted_uuid), since="2.53", until="2.87", returns=schemas.uptime("2.53", "2.87")
        ),
    ),
    rule=f"{_POLICY}:uptime",
    faults=(400, 404, 501),
)
SEARCH = Operation(
    "Find hosts by a part of their names.",
    (Variant(_search, until="2.52", returns=schemas.hosts(until="2.52")),),
    rule=f"{_POLICY}:search",
    faults=(404,),
)
SERVERS = Operation(
    "Find hosts by a part of their names, with what runs there.",
    (Variant(partial(_search, servers=True), until="2.52", returns=schemas.SERVERS),),
    rule=f"{_POLICY}:servers",
    faults=(404,),
)
