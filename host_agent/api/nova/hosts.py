# SPDX-License-Identifier: Apache-2.0
"""``os-hosts``, which Nova has until 2.42: the hosts by name, and what each has and uses.

To disable a host, to put it into maintenance or to switch its power off or on is nothing that this program does to a
machine: it says so as a Nova does whose driver cannot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any, TypeAlias

from host_agent import store
from host_agent.api.errors import NotFound, NotImplementedHere
from host_agent.api.nova.schemas import ANY_TEXTS, TEXT, array_of, object_of
from host_agent.api.operation import ADMIN, Call, Operation, Schema, Variant
from host_agent.workloads.workload import Workload

__all__ = ["LIST", "REBOOT", "SHOW", "SHUTDOWN", "STARTUP", "UPDATE"]

_Body: TypeAlias = dict[str, Any]

_UNTIL = "2.42"
_MIB, _GIB = 1024**2, 1024**3
# What libvirt knows of a workload's owner, which the agent passes on.
_PROJECT = "nova.project"
_SWITCH: Schema = {"type": "string", "enum": ["enable", "disable", "Enable", "Disable", "ENABLE", "DISABLE"]}
_QUERY: Schema = {
    "type": "object",
    "properties": {"zone": ANY_TEXTS, "service": ANY_TEXTS},
    "additionalProperties": True,
}
_CHANGE: Schema = {
    "type": "object",
    "properties": {"status": _SWITCH, "maintenance_mode": _SWITCH},
    "anyOf": [{"required": ["status"]}, {"required": ["maintenance_mode"]}],
    "additionalProperties": False,
}
_WHOLE: Schema = {"type": "integer"}
_LISTED: Schema = object_of({"hosts": array_of(object_of({"host_name": TEXT, "service": TEXT, "zone": TEXT}))})
_SHOWN: Schema = object_of(
    {
        "host": array_of(
            object_of(
                {
                    "resource": object_of(
                        {"host": TEXT, "project": TEXT, "cpu": _WHOLE, "memory_mb": _WHOLE, "disk_gb": _WHOLE}
                    )
                }
            )
        )
    }
)


def _list(call: Call) -> _Body:
    zone, service = call.parameter("zone"), call.parameter("service")
    return {
        "hosts": [
            {"host_name": one["host"], "service": one["topic"], "zone": one["zone"]}
            for one in _services(call, ("host", "topic", "zone", "disabled"))
            # An empty filter is none. What is disabled Nova leaves out.
            if not one["disabled"] and (not zone or one["zone"] == zone) and (not service or one["topic"] == service)
        ]
    }


def _show(call: Call) -> _Body:
    name = call.path["host"]
    named = store.hosts_named(call.engine, name)
    mine = [row for row in named if row["host"] == name and row["service_id"] is not None]
    known = store.host_usage(call.engine, str(mine[-1]["uuid"])) if mine else None
    if known is None:
        raise _not_found(name)
    workloads = [holding.workload for holding in known.usage.holdings]
    return {"host": [{"resource": {"host": name, **resource}} for resource in _resources(known.row, workloads)]}


def _resources(row: Mapping[str, Any], workloads: Sequence[Workload]) -> Iterator[_Body]:
    """Give what a host has, what of it is used, what its workloads may use, and what those of each project may."""
    yield _resource("(total)", row["vcpus"], row["memory_mb"], row["local_gb"])
    yield _resource("(used_now)", row["vcpus_used"], row["memory_mb_used"], row["local_gb_used"])
    yield _held("(used_max)", workloads)
    projects: defaultdict[str, list[Workload]] = defaultdict(list)
    for workload in workloads:
        if _PROJECT in workload.labels:
            projects[workload.labels[_PROJECT]].append(workload)
    for project in sorted(projects):
        yield _held(project, projects[project])


def _held(project: str, workloads: Sequence[Workload]) -> _Body:
    vcpus = sum(workload.vcpus or 0 for workload in workloads)
    memory_bytes = sum(workload.memory_bytes or 0 for workload in workloads)
    disk_bytes = sum(workload.disk_bytes or 0 for workload in workloads)
    return _resource(project, ceil(round(vcpus, 6)), ceil(memory_bytes / _MIB), ceil(disk_bytes / _GIB))


def _resource(project: str, cpu: int | None, memory_mb: int | None, disk_gb: int | None) -> _Body:
    # This wire has no null: what is not known is 0, as with a Nova that was not told yet.
    return {"project": project, "cpu": cpu or 0, "memory_mb": memory_mb or 0, "disk_gb": disk_gb or 0}


def _refuse(call: Call) -> _Body:
    name = call.path["host"]
    if not _services(call, ("id",), host=name):
        raise _not_found(name)
    raise NotImplementedHere("The requested functionality is not supported.")


def _services(call: Call, columns: tuple[str, ...], host: str | None = None) -> list[store.Row]:
    return store.zoned_services(call.engine, columns, down_after_seconds=call.settings.agent.down_after, host=host)


def _not_found(name: str) -> NotFound:
    return NotFound(f"Compute host {name} could not be found.")


_POLICY = "os_compute_api:os-hosts"


def _power(summary: str, policy: str) -> Operation:
    return Operation(
        summary, (Variant(_refuse, until=_UNTIL),), rule=f"{_POLICY}:{policy}", role=ADMIN, faults=(404, 501)
    )


LIST = Operation(
    "List the hosts whose services are enabled.",
    (Variant(_list, until=_UNTIL, query=_QUERY, returns=_LISTED),),
    rule=f"{_POLICY}:list",
)
SHOW = Operation(
    "Show what a host has and what of it is used.",
    (Variant(_show, until=_UNTIL, returns=_SHOWN),),
    rule=f"{_POLICY}:show",
    faults=(404,),
)
UPDATE = Operation(
    "Refuse to change a host.",
    (Variant(_refuse, until=_UNTIL, body=_CHANGE),),
    rule=f"{_POLICY}:update",
    role=ADMIN,
    faults=(400, 404, 501),
)
STARTUP = _power("Refuse to start a host.", "start")
SHUTDOWN = _power("Refuse to shut a host down.", "shutdown")
REBOOT = _power("Refuse to reboot a host.", "reboot")
