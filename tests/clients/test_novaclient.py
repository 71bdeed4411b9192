# SPDX-License-Identifier: Apache-2.0
"""python-novaclient as a library: what older tools, Watcher and Masakari call."""

from __future__ import annotations

from typing import Any

import pytest
from keystoneauth1 import noauth, session
from novaclient import client
from novaclient.exceptions import BadRequest, ClientException, NotFound, UnsupportedVersion, VersionNotFoundForAPIMethod

from tests.clients.api import Api

NODES = [f"node-{number}" for number in range(1, 6)]
PLACE = ("node-3", "nova-compute")


@pytest.fixture(params=["2.1", "2.53", "2.88", "2.96"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def nova(api: Api, version: str) -> Any:
    return client.Client(
        version, session=session.Session(auth=noauth.NoAuth(endpoint=api.nova)), endpoint_override=api.nova
    )


@pytest.mark.parametrize("detailed", [False, True])
def test_hypervisors_are_listed(nova: Any, detailed: bool) -> None:
    assert [one.hypervisor_hostname for one in nova.hypervisors.list(detailed=detailed)] == NODES


def test_a_page_is_listed(nova: Any, version: str) -> None:
    if version == "2.1":
        with pytest.raises(TypeError):
            nova.hypervisors.list(limit=2)
        return
    second = nova.hypervisors.list(limit=1)[0].id
    assert [one.hypervisor_hostname for one in nova.hypervisors.list(limit=2, marker=second)] == NODES[1:3]


def test_hypervisors_are_searched(nova: Any) -> None:
    assert [one.hypervisor_hostname for one in nova.hypervisors.search("node-2")] == ["node-2"]
    (found,) = nova.hypervisors.search("node-2", servers=True)
    assert [server["name"] for server in found.servers] == ["vm-3"]
    with pytest.raises(NotFound):
        nova.hypervisors.search("mars")


def test_a_hypervisor_is_got_and_its_uptime_told(nova: Any) -> None:
    found = nova.hypervisors.find(hypervisor_hostname="node-1")

    assert nova.hypervisors.get(found.id).hypervisor_hostname == "node-1"
    assert " up 1 day, " in nova.hypervisors.uptime(found.id).uptime


def test_statistics_are_told_as_long_as_there_are_any(nova: Any, version: str) -> None:
    if version in ("2.88", "2.96"):
        with pytest.raises((UnsupportedVersion, VersionNotFoundForAPIMethod)):
            nova.hypervisor_stats.statistics()
        return
    assert nova.hypervisor_stats.statistics().vcpus == 40


def test_services_are_listed_and_changed(nova: Any, version: str) -> None:
    assert [one.host for one in nova.services.list()] == NODES
    (service,) = nova.services.list(host="node-3", binary="nova-compute")
    chosen = PLACE if version == "2.1" else (service.id,)
    services = nova.services

    assert services.disable(*chosen).status == "disabled"
    told = services.disable_log_reason(*chosen, "for a test")
    assert (told.status, told.disabled_reason) == ("disabled", "for a test")
    assert services.enable(*chosen).status == "enabled"
    if version != "2.1":
        assert services.force_down(*chosen, True).forced_down
        assert not services.force_down(*chosen, False).forced_down


def test_a_service_that_is_not_there_cannot_be_deleted(nova: Any, version: str) -> None:
    with pytest.raises(NotFound):
        nova.services.delete("99999" if version == "2.1" else "00000000-0000-4000-8000-000000000099")


def test_zones_are_listed(nova: Any) -> None:
    for detailed in (False, True):
        assert {zone.zoneName for zone in nova.availability_zones.list(detailed=detailed)} == {"nova", "east"}


def test_an_aggregate_lives(nova: Any) -> None:
    aggregates = nova.aggregates
    made = aggregates.create("novaclient", "west")
    try:
        assert made.id in [one.id for one in aggregates.list()]
        assert aggregates.get_details(made.id).availability_zone == "west"
        assert aggregates.update(made.id, {"name": "novaclient-2"}).name == "novaclient-2"
        assert aggregates.add_host(made.id, "node-4").hosts == ["node-4"]
        assert aggregates.set_metadata(made.id, {"a": "b"}).metadata["a"] == "b"
        assert aggregates.remove_host(made.id, "node-4").hosts == []
    finally:
        aggregates.delete(made.id)
    with pytest.raises(NotFound):
        aggregates.get(made.id)


def test_the_versions_are_told(nova: Any) -> None:
    assert nova.versions.get_current().version == "2.104"
    assert "v2.1" in [one.id for one in nova.versions.list()]


def test_what_is_wrong_is_said(nova: Any) -> None:
    with pytest.raises((BadRequest, NotFound)) as refused:
        nova.hypervisors.get("mars")
    assert isinstance(refused.value, ClientException)
    assert refused.value.request_id.startswith("req-")
