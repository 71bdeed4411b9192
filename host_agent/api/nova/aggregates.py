# SPDX-License-Identifier: Apache-2.0
"""``os-aggregates``: groups of hosts, which availability zones are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

from host_agent import store
from host_agent.api.errors import ApiError, BadRequest, Conflict, NotFound
from host_agent.api.nova import aggregate_schemas as schemas
from host_agent.api.nova.ids import number_of
from host_agent.api.nova.schemas import NO_QUERY
from host_agent.api.nova.times import time_text
from host_agent.api.operation import ADMIN, Call, Operation, Schema, Variant
from host_agent.errors import (
    AggregateConflict,
    AggregateExists,
    AggregateNotFound,
    HostIsMember,
    HostNotFound,
    InvalidAggregate,
)

__all__ = ["ACT", "CREATE", "DELETE", "LIST", "SHOW", "UPDATE"]

_Body: TypeAlias = dict[str, Any]
_View: TypeAlias = Callable[[store.Aggregate], _Body]
# Each takes a call and a view.
_Handler: TypeAlias = Callable[..., _Body]


def _made(aggregate: store.Aggregate) -> _Body:
    return {
        "id": aggregate.id,
        "name": aggregate.name,
        "created_at": time_text(aggregate.created_at),
        "updated_at": time_text(aggregate.updated_at),
        "deleted_at": None,
        "deleted": False,
        "availability_zone": aggregate.availability_zone,
    }


def _made_2_41(aggregate: store.Aggregate) -> _Body:
    return _made(aggregate) | {"uuid": aggregate.uuid}


def _shown(aggregate: store.Aggregate) -> _Body:
    return _made(aggregate) | {"hosts": aggregate.hosts, "metadata": aggregate.metadata}


def _shown_2_41(aggregate: store.Aggregate) -> _Body:
    return _shown(aggregate) | {"uuid": aggregate.uuid}


def _list(call: Call, view: _View) -> _Body:
    return {"aggregates": [view(aggregate) for aggregate in store.list_aggregates(call.engine, limit=None)]}


def _create(call: Call, view: _View) -> _Body:
    wanted = call.body["aggregate"]
    try:
        made = store.create_aggregate(call.engine, wanted["name"], wanted.get("availability_zone"))
    except AggregateExists as error:
        raise Conflict(f"Aggregate {error.name} already exists.") from None
    return {"aggregate": view(made)}


def _show(call: Call, view: _View) -> _Body:
    with _refusing(call, "show aggregate"):
        return {"aggregate": view(store.get_aggregate(call.engine, _id(call)))}


def _update(call: Call, view: _View) -> _Body:
    wanted = call.body["aggregate"]
    changes = {"name": wanted["name"].strip()} if "name" in wanted else {}
    if "availability_zone" in wanted:
        changes["availability_zone"] = wanted["availability_zone"]
    with _refusing(call, "update aggregate"):
        if None in changes.values():
            raise InvalidAggregate("an availability zone needs a name")
        changed = store.update_aggregate(call.engine, _id(call), **changes)
    return {"aggregate": view(changed)}


def _delete(call: Call) -> None:
    try:
        store.delete_aggregate(call.engine, _id(call))
    except AggregateNotFound:
        raise _not_found(call) from None
    except AggregateConflict:
        aggregate = call.path["aggregate"]
        raise BadRequest(
            f"Cannot remove host from aggregate {aggregate}. Reason: Host aggregate is not empty."
        ) from None


def _add_host(call: Call, view: _View) -> _Body:
    host = call.body["add_host"]["host"]
    with _refusing(call, "add host to aggregate", Conflict):
        try:
            return {"aggregate": view(store.add_host(call.engine, _id(call), host))}
        except HostIsMember:
            raise Conflict(f"Aggregate {call.path['aggregate']} already has host {host}.") from None
        except HostNotFound:
            raise NotFound(f"Compute host {host} could not be found.") from None


def _remove_host(call: Call, view: _View) -> _Body:
    host = call.body["remove_host"]["host"]
    with _refusing(call, "remove host from aggregate", Conflict):
        try:
            return {"aggregate": view(store.remove_host(call.engine, _id(call), host))}
        except (AggregateNotFound, HostNotFound):
            raise NotFound(f"Cannot remove host {host} in aggregate {call.path['aggregate']}") from None


def _set_metadata(call: Call, view: _View) -> _Body:
    metadata = call.body["set_metadata"]["metadata"]
    with _refusing(call, "update metadata of aggregate"):
        return {"aggregate": view(store.set_metadata(call.engine, _id(call), metadata))}


_ACTIONS: Mapping[str, _Handler] = {
    "add_host": _add_host,
    "remove_host": _remove_host,
    "set_metadata": _set_metadata,
}


def _act(call: Call, view: _View) -> _Body:
    if len(call.body) != 1:
        raise BadRequest("Malformed request body")
    (name,) = call.body
    action = _ACTIONS.get(name)
    if action is None:
        raise BadRequest(f"There is no such action: {name}")
    return action(call, view)


def _id(call: Call) -> int:
    number = number_of(call.path["aggregate"])
    if number is None:
        raise BadRequest("Invalid input received: id must be an integer")
    return number


@contextmanager
def _refusing(call: Call, action: str, conflict: type[ApiError] = BadRequest) -> Iterator[None]:
    """Say what the store refuses as Nova would; what is in the way Nova calls a conflict for some actions alone."""
    refused = f"Cannot {action} {call.path['aggregate']}. Reason:"
    try:
        yield
    except AggregateNotFound:
        raise _not_found(call) from None
    except AggregateExists as error:
        raise Conflict(f"Aggregate {error.name} already exists.") from None
    except InvalidAggregate as error:
        raise BadRequest(f"{refused} {error}.") from None
    except AggregateConflict as error:
        raise conflict(f"{refused} {error}.") from None


def _not_found(call: Call) -> NotFound:
    return NotFound(f"Aggregate {call.path['aggregate']} could not be found.")


def _by_version(handler: _Handler, *, body: Schema | None = None) -> tuple[Variant, ...]:
    """Give the variants of what answers with one aggregate."""
    old, new = schemas.one(schemas.AGGREGATE), schemas.one(schemas.AGGREGATE_2_41)
    return (
        Variant(partial(handler, view=_shown), until="2.40", body=body, returns=old),
        Variant(partial(handler, view=_shown_2_41), since="2.41", body=body, returns=new),
    )


def _read_by_version(handler: _Handler, old: Schema, new: Schema) -> tuple[Variant, ...]:
    """Give the variants of what is read; the newest take no unknown parameter."""
    return (
        Variant(partial(handler, view=_shown), until="2.40", returns=old),
        Variant(partial(handler, view=_shown_2_41), since="2.41", until="2.101", returns=new),
        Variant(partial(handler, view=_shown_2_41), since="2.102", query=NO_QUERY, returns=new),
    )


_POLICY = "os_compute_api:os-aggregates"

LIST = Operation(
    "List the aggregates.",
    _read_by_version(_list, schemas.listed(schemas.AGGREGATE), schemas.listed(schemas.AGGREGATE_2_41)),
    rule=f"{_POLICY}:index",
)
CREATE = Operation(
    "Make an aggregate.",
    (
        Variant(partial(_create, view=_made), until="2.40", body=schemas.CREATE, returns=schemas.one(schemas.MADE)),
        Variant(
            partial(_create, view=_made_2_41),
            since="2.41",
            body=schemas.CREATE,
            returns=schemas.one(schemas.MADE_2_41),
        ),
    ),
    rule=f"{_POLICY}:create",
    role=ADMIN,
    faults=(400, 409),
)
SHOW = Operation(
    "Show an aggregate.",
    _read_by_version(_show, schemas.one(schemas.AGGREGATE), schemas.one(schemas.AGGREGATE_2_41)),
    rule=f"{_POLICY}:show",
    faults=(400, 404),
)
UPDATE = Operation(
    "Give an aggregate another name or availability zone.",
    _by_version(_update, body=schemas.UPDATE),
    rule=f"{_POLICY}:update",
    role=ADMIN,
    faults=(400, 404, 409),
)
DELETE = Operation(
    "Delete an aggregate that has no hosts.",
    (Variant(_delete),),
    rule=f"{_POLICY}:delete",
    role=ADMIN,
    faults=(400, 404),
)
ACT = Operation(
    "Add a host to an aggregate, take one out of it, or set its metadata.",
    _by_version(_act, body=schemas.ACTION),
    rule={action: f"{_POLICY}:{action}" for action in _ACTIONS},
    role=ADMIN,
    faults=(400, 404, 409),
)
