# SPDX-License-Identifier: Apache-2.0
"""``os-services``: the agents; whether they are heard of, and whether anything new shall come to their hosts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from host_agent import store
from host_agent.api.errors import BadRequest, Conflict, NotFound
from host_agent.api.nova.ids import number_of, uuid_of
from host_agent.api.nova.schemas import (
    ANY_TEXTS,
    BOOLEAN,
    HOST,
    TEXT,
    TEXT_OR_NULL,
    TIME_OR_NULL,
    TRUE_WORDS,
    UUID,
    array_of,
    object_of,
)
from host_agent.api.nova.times import time_text
from host_agent.api.operation import ADMIN, Call, Operation, Schema, Variant
from host_agent.errors import ServiceInUse, ServiceNotFound

__all__ = ["DELETE", "LIST", "UPDATE"]

_Body: TypeAlias = dict[str, Any]
_View: TypeAlias = Callable[[Mapping[str, Any]], _Body]
_Action: TypeAlias = Callable[[Call], _Body]

# No NUL, which PostgreSQL does not take.
_WORD: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[^\x00]*$"}
_QUERY: Schema = {
    "type": "object",
    "properties": {"host": ANY_TEXTS, "binary": ANY_TEXTS},
    "additionalProperties": True,
}
_STRICT_QUERY: Schema = {**_QUERY, "additionalProperties": False}

_ACTION: Schema = {
    "type": "object",
    "properties": {"host": HOST, "binary": _WORD, "disabled_reason": _WORD},
    "required": ["host", "binary"],
    "additionalProperties": False,
}
_ACTION_2_11: Schema = {**_ACTION, "properties": {**_ACTION["properties"], "forced_down": BOOLEAN}}
_CHANGE: Schema = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ["enabled", "disabled"]},
        "disabled_reason": _WORD,
        "forced_down": BOOLEAN,
    },
    "additionalProperties": False,
}

_SERVICE: Schema = {
    "id": {"type": "integer"},
    "binary": TEXT,
    "host": TEXT,
    "zone": TEXT,
    "status": {"enum": ["enabled", "disabled"]},
    "state": {"enum": ["up", "down"]},
    "updated_at": TIME_OR_NULL,
    "disabled_reason": TEXT_OR_NULL,
}
_SERVICE_2_11: Schema = {**_SERVICE, "forced_down": {"type": "boolean"}}
_SERVICE_2_53: Schema = {**_SERVICE_2_11, "id": UUID}
_ACTED: Schema = object_of(
    {
        "service": {
            "type": "object",
            "properties": {
                "host": TEXT,
                "binary": TEXT,
                "status": TEXT,
                "disabled_reason": TEXT,
                "forced_down": {"type": "boolean"},
            },
            "required": ["host", "binary"],
            "additionalProperties": False,
        }
    }
)


def _listed(service: Schema) -> Schema:
    return object_of({"services": array_of(object_of(service))})


# What the views below are made of.
_COLUMNS = (
    *("id", "uuid", "binary", "host", "zone", "disabled", "is_alive", "updated_at", "disabled_reason", "forced_down"),
)


def _shown(service: Mapping[str, Any]) -> _Body:
    return {
        "id": service["id"],
        "binary": service["binary"],
        "host": service["host"],
        "zone": service["zone"],
        "status": "disabled" if service["disabled"] else "enabled",
        "state": "up" if service["is_alive"] else "down",
        "updated_at": time_text(service["updated_at"]),
        "disabled_reason": service["disabled_reason"],
    }


def _shown_2_11(service: Mapping[str, Any]) -> _Body:
    shown = _shown(service)
    shown["forced_down"] = service["forced_down"]
    return shown


def _shown_2_53(service: Mapping[str, Any]) -> _Body:
    shown = _shown_2_11(service)
    shown["id"] = service["uuid"]
    return shown


def _list(call: Call, view: _View) -> _Body:
    # An empty filter is none.
    found = _services(call, host=call.parameter("host") or None, binary=call.parameter("binary") or None)
    return {"services": [view(service) for service in found]}


def _services(call: Call, **wanted: str | None) -> list[store.Row]:
    return store.zoned_services(call.engine, _COLUMNS, down_after_seconds=call.settings.agent.down_after, **wanted)


def _enable(call: Call) -> _Body:
    _change_named(call, disabled=False)
    return _acted(call, status="enabled")


def _disable(call: Call) -> _Body:
    _change_named(call, disabled=True)
    return _acted(call, status="disabled")


def _disable_log_reason(call: Call) -> _Body:
    reason = call.body.get("disabled_reason")
    if reason is None:
        raise BadRequest("Missing disabled reason field")
    _change_named(call, disabled=True, disabled_reason=reason)
    return _acted(call, status="disabled", disabled_reason=reason)


def _force_down(call: Call) -> _Body:
    if "forced_down" not in call.body:
        raise BadRequest("Missing forced_down field")
    forced_down = _is_true(call.body["forced_down"])
    _change_named(call, forced_down=forced_down)
    return _acted(call, forced_down=forced_down)


_ACTIONS: Mapping[str, _Action] = {
    "enable": _enable,
    "disable": _disable,
    "disable-log-reason": _disable_log_reason,
}
_ACTIONS_2_11: Mapping[str, _Action] = {**_ACTIONS, "force-down": _force_down}


def _act(call: Call, actions: Mapping[str, _Action]) -> _Body:
    action = actions.get(call.path["service"])
    if action is None:
        raise NotFound("Unknown action")
    return action(call)


def _acted(call: Call, **result: object) -> _Body:
    return {"service": {"host": call.body["host"], "binary": call.body["binary"], **result}}


def _change_named(call: Call, **changes: Any) -> None:
    """Change the service that the body names by its host and its binary."""
    host, binary = call.body["host"], call.body["binary"]
    uuids = {service["binary"]: str(service["uuid"]) for service in _services(call, host=host)}
    missing = NotFound(f"Could not find binary {binary} on host {host}.")
    if binary not in uuids:
        ours = call.settings.agent.binary
        if binary != ours:
            raise BadRequest(f"Updating a {binary} service is not supported. Only {ours} services can be updated.")
        raise missing if uuids else NotFound(f"Host '{host}' is not mapped to any cell")
    try:
        store.change_service(call.engine, uuids[binary], **changes)
    except ServiceNotFound:  # deleted just now
        raise missing from None


def _update(call: Call) -> _Body:
    uuid = _wanted_uuid(call)
    status, reason = call.body.get("status"), call.body.get("disabled_reason")
    if status is None and "forced_down" not in call.body:
        raise BadRequest("No updates were requested. Fields 'status' or 'forced_down' should be specified.")
    if status == "enabled" and reason is not None:
        raise BadRequest("Specifying 'disabled_reason' with status 'enabled' is invalid.")
    try:
        store.change_service(
            call.engine,
            uuid,
            disabled=None if status is None else status == "disabled",
            disabled_reason=reason,
            forced_down=_is_true(call.body["forced_down"]) if "forced_down" in call.body else None,
        )
    except ServiceNotFound:
        raise NotFound(f"Service {call.path['service']} could not be found.") from None
    changed = _services(call, uuid=uuid)
    if not changed:  # deleted just now
        raise NotFound(f"Service {call.path['service']} could not be found.")
    return {"service": _shown_2_53(changed[0])}


def _delete(call: Call, wanted: Callable[[Call], int | str]) -> None:
    try:
        store.delete_service(call.engine, wanted(call))
    except ServiceNotFound:
        raise NotFound(f"Service {call.path['service']} not found.") from None
    except ServiceInUse as refused:
        if refused.workloads:
            raise Conflict(
                "Unable to delete compute service that is hosting instances. Migrate or delete the instances first."
            ) from None
        raise Conflict(
            "Unable to delete compute service that has in-progress migrations. Complete the migrations or delete the "
            "instances first."
        ) from None


def _wanted_number(call: Call) -> int:
    number = number_of(call.path["service"])
    if number is None:
        raise BadRequest("Invalid input received: id must be an integer")
    return number


def _wanted_uuid(call: Call) -> str:
    uuid = uuid_of(call.path["service"])
    if uuid is None:
        raise BadRequest(f"Invalid uuid {call.path['service']}")
    return uuid


def _is_true(word: bool | str) -> bool:
    return word is True or word in TRUE_WORDS


_POLICY = "os_compute_api:os-services"

LIST = Operation(
    "List the services.",
    (
        Variant(partial(_list, view=_shown), until="2.10", query=_QUERY, returns=_listed(_SERVICE)),
        Variant(
            partial(_list, view=_shown_2_11), since="2.11", until="2.52", query=_QUERY, returns=_listed(_SERVICE_2_11)
        ),
        Variant(
            partial(_list, view=_shown_2_53), since="2.53", until="2.74", query=_QUERY, returns=_listed(_SERVICE_2_53)
        ),
        Variant(partial(_list, view=_shown_2_53), since="2.75", query=_STRICT_QUERY, returns=_listed(_SERVICE_2_53)),
    ),
    rule=f"{_POLICY}:list",
)
UPDATE = Operation(
    "Enable or disable a service, or force it down: until 2.52 by an action in the place of its id.",
    (
        Variant(partial(_act, actions=_ACTIONS), until="2.10", body=_ACTION, returns=_ACTED),
        Variant(partial(_act, actions=_ACTIONS_2_11), since="2.11", until="2.52", body=_ACTION_2_11, returns=_ACTED),
        Variant(_update, since="2.53", body=_CHANGE, returns=object_of({"service": object_of(_SERVICE_2_53)})),
    ),
    rule=f"{_POLICY}:update",
    role=ADMIN,
    faults=(400, 404),
)
DELETE = Operation(
    "Delete a service and its host, which registers again if it is alive.",
    (
        Variant(partial(_delete, wanted=_wanted_number), until="2.52"),
        Variant(partial(_delete, wanted=_wanted_uuid), since="2.53"),
    ),
    rule=f"{_POLICY}:delete",
    role=ADMIN,
    status=204,
    faults=(400, 404, 409),
)
