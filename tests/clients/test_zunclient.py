# SPDX-License-Identifier: Apache-2.0
"""python-zunclient: as a library, as a part of ``openstack``, and as ``zun``, which insists on an identity service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from keystoneauth1 import noauth, session
from zunclient import api_versions, exceptions
from zunclient.shell import OpenStackZunShell
from zunclient.v1.client import Client

from tests.clients.api import Api
from tests.clients.command import OpenStack

NODES = [f"node-{number}" for number in range(1, 6)]
NODE_2 = "00000000-0000-4000-8000-000000000002"


class TestLibrary:
    @pytest.fixture
    def zun(self, api: Api) -> Any:
        return Client(
            session=session.Session(auth=noauth.NoAuth(endpoint=api.zun)),
            endpoint_override=api.zun,
            api_version=api_versions.APIVersion("1.40"),
        )

    def test_hosts_are_listed(self, zun: Any) -> None:
        hosts = zun.hosts.list()

        assert [host.hostname for host in hosts] == NODES
        assert {host.cpus for host in hosts} == {8}

    def test_hosts_are_listed_sorted_and_in_pages(self, zun: Any) -> None:
        listed = zun.hosts.list(limit=2, sort_key="hostname", sort_dir="desc")
        assert [host.hostname for host in listed] == ["node-5", "node-4"]

        after = zun.hosts.list(limit=2, marker=listed[-1].uuid, sort_key="hostname", sort_dir="desc")
        assert [host.hostname for host in after] == ["node-3", "node-2"]

    @pytest.mark.parametrize("known_as", ["node-2", NODE_2])
    def test_one_is_got(self, zun: Any, known_as: str) -> None:
        host = zun.hosts.get(known_as)

        assert (host.uuid, host.hostname, host.architecture, host.os_type) == (NODE_2, "node-2", "x86_64", "linux")

    def test_one_that_nobody_has_is_said(self, zun: Any) -> None:
        with pytest.raises(exceptions.NotFound):
            zun.hosts.get("mars")


class TestOpenStackCommand:
    @pytest.fixture
    def openstack(self, no_auth: None, api: Api, monkeypatch: pytest.MonkeyPatch) -> OpenStack:
        monkeypatch.setenv("OS_ENDPOINT", api.zun)
        return OpenStack()

    def test_hosts_are_listed(self, openstack: OpenStack) -> None:
        assert [row["hostname"] for row in openstack("appcontainer host list")] == NODES
        assert [row["hostname"] for row in openstack("appcontainer host list --limit 1 --sort-key hostname")] == [
            "node-1"
        ]

    @pytest.mark.parametrize("known_as", ["node-2", NODE_2])
    def test_one_is_shown(self, openstack: OpenStack, known_as: str) -> None:
        assert openstack(f"appcontainer host show {known_as}")["uuid"] == NODE_2

    def test_one_that_nobody_has_is_said(self, openstack: OpenStack) -> None:
        assert "mars" in openstack.fails("appcontainer host show mars")


class TestZunCommand:
    @pytest.fixture
    def zun(self, login: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
        login("admin1")

        def run(*arguments: str) -> str:
            OpenStackZunShell().main(list(arguments))
            return capsys.readouterr().out

        return run

    def test_hosts_are_listed(self, zun: Callable[..., str]) -> None:
        printed = zun("host-list")
        assert all(node in printed for node in NODES)

    def test_one_is_shown(self, zun: Callable[..., str]) -> None:
        printed = zun("host-show", "node-2")
        assert NODE_2 in printed

    def test_a_reader_may_not(self, zun: Callable[..., str], login: Callable[[str], None]) -> None:
        login("reader1")
        with pytest.raises(exceptions.Forbidden):
            zun("host-list")
