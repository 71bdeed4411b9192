# SPDX-License-Identifier: Apache-2.0
"""Sums over narrow rows of hosts with neighbouring ids, made anew by whoever changes one of these rows.

No server adds up a dozen columns of a hundred thousand rows within a few milliseconds; a few hundred rows it does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Insert,
    and_,
    bindparam,
    case,
    func,
    literal,
    select,
    text,
    union_all,
)

from host_agent.resource_usage import DISK
from host_agent.store.resource_columns import RESOURCE_COLUMNS
from host_agent.store.schema import INVENTORIES, SUMS
from host_agent.store.upsert import insert_missing, upsert_from_select

__all__ = ["FIGURES", "SERVED", "add_up", "complete_sums", "label", "mend_sums", "served_sums"]


# So many neighbours: half as many sums would be read in half of the time, and take twice as long to make.
_NEIGHBOURS = 256
# Of one resource, see `ResourceColumns`.
FIGURES = ("total", "reserved", "capacity", "used")
# Columns of a host that Nova sums up.
SERVED = tuple(one.name.removeprefix("served_") for one in SUMS.columns if one.name.startswith("served_"))
_HOST = INVENTORIES.c


def label(resource: str, figure: str) -> str:
    """Give the name of a sum."""
    return f"{resource}_{figure}".lower()


def complete_sums(counts: ColumnElement[bool] | None = None) -> dict[str, ColumnElement[Any]]:
    """Give the sums over hosts whose figures are complete, by name; of disks those alone that are not shared.

    Args:
        counts: the condition under which a host does so; without, all that are asked.
    """
    sums = {"hosts": _counted(counts), "complete_served": _counted(counts, _HOST.service_id)}
    for name, one in RESOURCE_COLUMNS.items():
        is_own = _HOST.shared_storage.is_(None) if name == DISK else None
        sums |= {label(name, figure): _sum(getattr(one, figure), counts, is_own) for figure in FIGURES}
    return sums


def served_sums(counts: ColumnElement[bool] | None = None) -> dict[str, ColumnElement[Any]]:
    """Give the sums over hosts that have a service, by name; see `complete_sums`."""
    return {"served": _counted(counts), **{f"served_{name}": _sum(_HOST[name], counts) for name in SERVED}}


def _sum(value: ColumnElement[Any], *conditions: ColumnElement[bool] | None) -> ColumnElement[Any]:
    known = [condition for condition in conditions if condition is not None]
    return func.sum(case((and_(*known), value)) if known else value)


def _counted(counts: ColumnElement[bool] | None, known: ColumnElement[Any] = _HOST.id) -> ColumnElement[Any]:
    return func.count(known if counts is None else case((counts, known)))


def add_up(connection: Connection, ids: Collection[int]) -> None:
    """Make the sums anew that hosts with these ids take part in, once their rows are written."""
    firsts = sorted({host_id - host_id % _NEIGHBOURS for host_id in ids})
    if not firsts:
        return
    # Whoever changes a neighbour at this moment has committed when we get the lock, or adds up after us. Asked for in
    # a statement of its own: the next one sees what was committed until then.
    lock = select(SUMS.c.first_id).where(SUMS.c.first_id.in_(firsts)).order_by(SUMS.c.first_id).with_for_update()
    if len(connection.execute(lock).all()) < len(firsts):
        missing = insert_missing(connection.dialect.name, SUMS, "first_id")
        connection.execute(missing, [{"first_id": first} for first in firsts])
        connection.execute(lock)
    write = _write(connection.dialect.name)
    connection.execute(write, [{"first": first, "end": first + _NEIGHBOURS} for first in firsts])


def mend_sums(connection: Connection) -> int:
    """Make those sums anew that are not what the rows of hosts say; tell how many."""
    first = (_HOST.id - _HOST.id % _NEIGHBOURS).label("first_id")
    # In one query, so that nobody writes between.
    both = union_all(
        select(literal("stored").label("source"), *SUMS.c),
        select(literal("made"), first, *_each_sum().values()).group_by(text("2")),
    )
    found: dict[int, dict[str, tuple[object, ...]]] = defaultdict(dict)
    for source, first_id, *sums in connection.execute(both):
        found[first_id][source] = tuple(map(_comparable, sums))
    wrong = [first_id for first_id, sums in found.items() if sums.get("stored") != sums.get("made", _NOTHING)]
    add_up(connection, wrong)
    return len(wrong)


def _each_sum() -> dict[str, ColumnElement[Any]]:
    """Give all sums in the order of their columns; each counts what belongs to it."""
    sums = complete_sums(_HOST.is_complete) | served_sums(_HOST.service_id.is_not(None))
    return {column.name: sums[column.name] for column in SUMS.columns if column.name != "first_id"}


@lru_cache
def _write(dialect: str) -> Insert:
    first, end = bindparam("first", type_=BigInteger), bindparam("end", type_=BigInteger)
    sums = _each_sum()
    source = select(first, *sums.values()).where(_HOST.id >= first, _HOST.id < end)
    return upsert_from_select(dialect, SUMS, "first_id", ["first_id", *sums], source)


def _comparable(value: Any) -> object:
    # Sums of whole numbers are decimals on two of the servers; those of others depend on the order of the rows.
    return None if value is None else round(float(value), 3)


_NOTHING = tuple(0.0 if not column.nullable else None for column in SUMS.c if column.name != "first_id")
