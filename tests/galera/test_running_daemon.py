# SPDX-License-Identifier: Apache-2.0
"""`host-agent run` with the addresses of all nodes, when that which it talks to dies."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from host_agent.errors import StoreConnectionLost
from host_agent.store.engine import Engine
from host_agent.store.transaction import transaction
from tests.galera.cluster import Cluster, Node
from tests.host_agent.process.conftest import HostAgent
from tests.host_agent.process.fleet import Eventually, Fleet, ended_in, reports_to
from tests.host_agent.servers import PASSWORD, joined_url


def test_a_daemon_goes_on_when_its_node_is_killed(
    cluster: Cluster, engines: list[Engine], agent: HostAgent, captured: Path, eventually: Eventually
) -> None:
    fleet = Fleet(cluster.nodes[1].url)
    reports_to(agent, joined_url(*cluster.nodes), full_interval=1)
    process = agent.start("run")
    eventually(lambda: fleet.hosts("service_id") not in ([], [None]))

    with pytest.raises(StoreConnectionLost, match="2013"):
        write_while_it_is_killed(engines[0], cluster.nodes[0])
    agent.machine.has_kernel("6.7.8")

    beaten = fleet.beats()
    eventually(lambda: fleet.kernels() == ["6.7.8"])
    eventually(lambda: fleet.codes().count("kernel-changed") == 1)
    eventually(lambda: fleet.beats() >= beaten + 2)
    assert [service["version"] for service in fleet.services()] == [None]
    assert fleet.codes().count("host-registered") == 1
    ended_in(process)
    assert len(fleet.told("kernel-changed")) == 1
    assert "Traceback" not in agent.said()
    assert PASSWORD not in agent.said()


def write_while_it_is_killed(engine: Engine, node: Node) -> None:
    with transaction(engine) as connection:
        connection.execute(text("UPDATE services SET version = 1"))
        node.kill()
        connection.execute(text("UPDATE services SET version = 2"))
