# SPDX-License-Identifier: Apache-2.0
"""A MariaDB cluster of three that the tests start and end: `.ci/install-test-beds` installs its programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from host_agent.store import migrate
from host_agent.store.engine import Engine
from tests.beds import absent
from tests.galera.cluster import PROVIDER, Cluster
from tests.host_agent.conftest import opened
from tests.host_agent.process.conftest import agent, captured, eventually
from tests.host_agent.servers import MariaDb

# Fixtures of other modules: pytest finds them here.
__all__ = ["agent", "captured", "eventually", "opened"]


@pytest.fixture(scope="session")
def running_cluster() -> Iterator[Cluster]:
    missing = [name for name in ("mariadbd", "mariadb-install-db", "rsync") if MariaDb.program(name) is None]
    missing += [] if PROVIDER else ["libgalera_smm.so"]
    if missing:
        absent(f"not installed: {', '.join(missing)}; .ci/install-test-beds installs it")
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture
def empty_cluster(running_cluster: Cluster) -> Cluster:
    """Give a cluster whose database has no tables yet."""
    running_cluster.gather()
    running_cluster.drop_tables()
    return running_cluster


@pytest.fixture
def cluster(running_cluster: Cluster, opened: Callable[..., Engine]) -> Cluster:
    """Give a cluster whose tables have the newest schema and no rows, on every node."""
    running_cluster.gather()
    migrate.upgrade(opened(running_cluster.nodes[0].url))
    running_cluster.empty_tables()
    return running_cluster


@pytest.fixture
def engines(cluster: Cluster, opened: Callable[..., Engine]) -> list[Engine]:
    """Give an engine for each node alone."""
    return [opened(node.url) for node in cluster.nodes]
