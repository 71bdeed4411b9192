# SPDX-License-Identifier: Apache-2.0
"""``os-availability-zone``: the zones of the services.

A zone is available as long as one of its services is enabled. Nova's zone ``internal`` is that of its conductors and
schedulers: here are none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, TypeAlias

from host_agent import store
from host_agent.api.nova.schemas import NO_QUERY, TEXT, TIME_OR_NULL, array_of, object_of
from host_agent.api.nova.times import time_text
from host_agent.api.operation import READER, Call, Operation, Schema, Variant

__all__ = ["DETAIL", "LIST"]

_Body: TypeAlias = dict[str, Any]

_COLUMNS = ("host", "binary", "zone", "disabled", "is_alive", "updated_at")

_AVAILABLE: Schema = object_of({"available": {"type": "boolean"}})
_SERVICE: Schema = object_of(
    {"available": {"type": "boolean"}, "active": {"type": "boolean"}, "updated_at": TIME_OR_NULL}
)
# Host -> binary -> service.
_HOSTS: Schema = {
    "type": ["object", "null"],
    "additionalProperties": {"type": "object", "additionalProperties": _SERVICE},
}


def _zones(hosts: Schema) -> Schema:
    zone = object_of({"zoneName": TEXT, "zoneState": _AVAILABLE, "hosts": hosts})
    return object_of({"availabilityZoneInfo": array_of(zone)})


def _list(call: Call) -> _Body:
    zones = store.service_zones(call.engine)
    return _told((zone.name, zone.is_available, None) for zone in zones)


def _detail(call: Call) -> _Body:
    hosts: defaultdict[Any, dict[Any, dict[Any, _Body]]] = defaultdict(dict)
    down_after = call.settings.agent.down_after
    for service in store.zoned_services(call.engine, _COLUMNS, down_after_seconds=down_after):
        zone = hosts[service["zone"]]
        if not service["disabled"]:
            zone.setdefault(service["host"], {})[service["binary"]] = {
                "available": service["is_alive"],
                "active": True,
                "updated_at": time_text(service["updated_at"]),
            }
    # A zone whose services are all disabled is told without its hosts.
    return _told((name, bool(enabled), enabled or None) for name, enabled in sorted(hosts.items()))


def _told(zones: Iterable[tuple[str, bool, _Body | None]]) -> _Body:
    told = [
        {"zoneName": name, "zoneState": {"available": is_available}, "hosts": hosts}
        for name, is_available, hosts in zones
    ]
    # Those that are available come first.
    return {"availabilityZoneInfo": sorted(told, key=lambda zone: not zone["zoneState"]["available"])}


_POLICY = "os_compute_api:os-availability-zone"

LIST = Operation(
    "List the availability zones.",
    (
        Variant(_list, until="2.101", returns=_zones({"type": "null"})),
        Variant(_list, since="2.102", query=NO_QUERY, returns=_zones({"type": "null"})),
    ),
    rule=f"{_POLICY}:list",
    role=READER,
)
DETAIL = Operation(
    "List the availability zones with their hosts and services.",
    (
        Variant(_detail, until="2.101", returns=_zones(_HOSTS)),
        Variant(_detail, since="2.102", query=NO_QUERY, returns=_zones(_HOSTS)),
    ),
    rule=f"{_POLICY}:detail",
    role=READER,
)
