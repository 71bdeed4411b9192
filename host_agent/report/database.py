# SPDX-License-Identifier: Apache-2.0
"""Reports straight into the database: the heartbeat in ``services``, the facts in ``compute_host``."""

from __future__ import annotations

import uuid

from host_agent import store
from host_agent.errors import StoreError
from host_agent.record import ComputeHost, Identity
from host_agent.store import migrate
from host_agent.store.engine import Engine

__all__ = ["DatabaseReport", "require_schema"]


class DatabaseReport:
    """Keeps the rows of one host; each call is complete in itself and may be repeated.

    The schema is checked before the first write, and again after any trouble: the database that comes back may be
    another one.
    """

    def __init__(self, engine: Engine, *, binary: str, topic: str) -> None:
        self._engine = engine
        self._binary = binary
        self._topic = topic
        self._schema_checked = False
        self._service_id: int | None = None

    def heartbeat(self, identity: Identity) -> None:
        """Say that this host is alive, by the database's clock.

        Raises:
            StoreError: one of its children.
        """
        self._check_schema()
        try:
            self._service_id = store.heartbeat(
                self._engine,
                # One host may run several services: each has its own uuid, the same after every restart.
                uuid=str(uuid.uuid5(uuid.UUID(identity.uuid), self._binary)),
                host=identity.host,
                binary=self._binary,
                topic=self._topic,
            )
        except StoreError:
            self._schema_checked = False
            raise

    def facts(self, record: ComputeHost) -> None:
        """Store what this host can give, joined to its row in ``services``.

        Raises:
            StoreError: one of its children.
        """
        if self._service_id is None:
            self.heartbeat(Identity(uuid=record.uuid, host=record.host, host_ip=record.host_ip))
        self._check_schema()
        try:
            store.upsert(self._engine, record, self._service_id)
        except StoreError:
            self._schema_checked = False
            raise

    def _check_schema(self) -> None:
        if not self._schema_checked:
            require_schema(self._engine)
            self._schema_checked = True


def require_schema(engine: Engine) -> None:
    """Make sure that the tables are those this version knows; a new SQLite file gets them here.

    Every other database is migrated by an operator, never by one of many agents.

    Raises:
        StoreError: the schema is older or newer (the line says what to do), or the database is not usable.
    """
    if engine.dialect.name == "sqlite" and migrate.is_empty(engine):
        migrate.upgrade(engine)
    migrate.require_current(engine)
