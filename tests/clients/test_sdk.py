# SPDX-License-Identifier: Apache-2.0
"""openstacksdk: its proxy of the compute service, as programs call it."""

from __future__ import annotations

from collections.abc import Iterator

import openstack
import pytest
from openstack.connection import Connection
from openstack.exceptions import BadRequestException, ConflictException, NotFoundException

from tests.clients.api import Api

NODES = [f"node-{number}" for number in range(1, 6)]
# What the SDK does by itself is to ask for the version that it knows each resource in.
VERSIONS = {"lowest": "2.1", "with paging": "2.33", "with uuids": "2.53", "default": None, "newest": "2.104"}


@pytest.fixture(params=list(VERSIONS))
def version(request: pytest.FixtureRequest) -> str | None:
    return VERSIONS[request.param]


@pytest.fixture
def cloud(api: Api, clean_environment: None, version: str | None) -> Iterator[Connection]:
    connection = openstack.connect(
        load_yaml_config=False,
        load_envvars=False,
        auth_type="none",
        endpoint=api.nova,
        compute_endpoint_override=api.nova,
        compute_default_microversion=version,
    )
    yield connection
    connection.close()


def has_uuids(version: str | None) -> bool:
    return version not in ("2.1", "2.33")


def test_the_service_is_discovered(cloud: Connection, api: Api) -> None:
    endpoint = cloud.compute.get_endpoint_data()

    assert endpoint.url.rstrip("/") == api.nova
    assert (endpoint.min_microversion, endpoint.max_microversion) == ((2, 1), (2, 104))


@pytest.mark.parametrize("details", [False, True])
def test_hypervisors_are_listed(cloud: Connection, details: bool) -> None:
    listed = list(cloud.compute.hypervisors(details=details))

    assert [one.name for one in listed] == NODES
    assert [one.state for one in listed] == ["up", "up", "up", "up", "down"]
    assert [one.service_details is not None for one in listed] == [details] * 5


def test_hypervisors_are_listed_by_the_cloud_layer(cloud: Connection) -> None:
    assert len(cloud.list_hypervisors()) == 5


def test_hypervisors_are_listed_page_by_page(cloud: Connection, version: str | None) -> None:
    if version == "2.1":
        return  # below 2.33 there are no pages, and the SDK asks for the same one for ever
    assert [one.name for one in cloud.compute.hypervisors(limit=2)] == NODES


def test_hypervisors_are_searched_with_what_they_run(cloud: Connection, version: str | None) -> None:
    found = list(cloud.compute.hypervisors(details=True, hypervisor_hostname_pattern="ode-1", with_servers=True))

    assert [one.name for one in found] == ["node-1"]
    if has_uuids(version):  # before, the SDK asks where Nova has no servers to tell
        assert [server["name"] for server in found[0].servers] == ["vm-1", "vm-2"]


@pytest.mark.parametrize("details", [False, True])
def test_a_hypervisor_is_found_by_name_and_got_by_id(cloud: Connection, details: bool) -> None:
    found = cloud.compute.find_hypervisor("node-2", ignore_missing=False, details=details)

    assert cloud.compute.get_hypervisor(found.id).name == "node-2"
    assert cloud.compute.find_hypervisor("mars") is None


def test_uptime_is_told(cloud: Connection, version: str | None) -> None:
    found = cloud.compute.find_hypervisor("node-1", ignore_missing=False)
    if version in (None, "2.104"):
        assert " up 1 day, " in found.uptime
    else:
        assert " up 1 day, " in cloud.compute.get_hypervisor_uptime(found).uptime


def test_a_service_is_disabled_and_forced_down_and_set_right(cloud: Connection, version: str | None) -> None:
    (service,) = [one for one in cloud.compute.services() if one.host == "node-2"]
    place = ("node-2", "nova-compute")

    disabled = cloud.compute.disable_service(service, *place, "for a test")
    assert (disabled.status, disabled.disabled_reason) == ("disabled", "for a test")
    assert cloud.compute.enable_service(service, *place).status == "enabled"
    if version == "2.1":
        return  # it came with 2.11
    for forced in (True, False):
        cloud.compute.update_service_forced_down(service, *place, forced)
        (service,) = [one for one in cloud.compute.services() if one.host == "node-2"]
        assert service.is_forced_down == forced


def test_a_service_is_found_by_its_host(cloud: Connection) -> None:
    found = cloud.compute.find_service("nova-compute", host="node-1", ignore_missing=False)

    assert (found.host, found.binary, found.state) == ("node-1", "nova-compute", "up")


def test_zones_are_listed(cloud: Connection) -> None:
    assert {zone.name for zone in cloud.compute.availability_zones()} == {"nova", "east"}
    hosts = {zone.name: set(zone.hosts) for zone in cloud.compute.availability_zones(details=True)}
    assert hosts == {"nova": {"node-1", "node-4", "node-5"}, "east": {"node-2", "node-3"}}
    assert set(cloud.list_availability_zone_names()) == {"nova", "east"}


def test_an_aggregate_lives(cloud: Connection, version: str | None) -> None:
    compute = cloud.compute
    made = compute.create_aggregate(name="sdk", availability_zone="west")
    try:
        assert compute.find_aggregate("sdk", ignore_missing=False).id == made.id
        assert compute.set_aggregate_metadata(made, {"k": "v"}).metadata["k"] == "v"
        assert compute.update_aggregate(made, name="sdk-2").name == "sdk-2"
        assert compute.add_host_to_aggregate(made, "node-4").hosts == ["node-4"]
        with pytest.raises(ConflictException):
            compute.add_host_to_aggregate(made, "node-4")
        with pytest.raises(BadRequestException):
            compute.delete_aggregate(made)
        assert compute.remove_host_from_aggregate(made, "node-4").hosts == []
        (listed,) = [one for one in compute.aggregates() if one.name == "sdk-2"]
        assert (listed.uuid is not None) == has_uuids(version)
    finally:
        compute.delete_aggregate(made)
    with pytest.raises(NotFoundException):
        compute.delete_aggregate(made, ignore_missing=False)


def test_an_aggregate_lives_in_the_cloud_layer(cloud: Connection) -> None:
    made = cloud.create_aggregate("cloud-layer")

    assert cloud.get_aggregate("cloud-layer").id == made.id
    assert cloud.delete_aggregate(made.id)
