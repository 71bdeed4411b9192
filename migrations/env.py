# SPDX-License-Identifier: Apache-2.0
"""Runs the migrations on the connection that host_agent.store.migrate opened, in its transaction and under its lock."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # SQLite rolls DDL back as PostgreSQL does, once the driver's own BEGIN is out of the way.
    transactional_ddl=context.config.attributes["connection"].dialect.name in ("sqlite", "postgresql"),
)
context.run_migrations()
