# SPDX-License-Identifier: Apache-2.0
"""Placement behind Keystone: where it is comes from the catalog, who we are from a password."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from tests.host_agent.facts import GIB, machine
from tests.host_agent.servers import free_port
from tests.placement.agent import AgentOfHost
from tests.placement.proxy import Proxy, Reply
from tests.placement.servers import Keystone, Placement


def agent_of(keystone: Keystone, **changes: Any) -> AgentOfHost:
    settings = {
        "auth": "keystone",
        "auth_url": keystone.url,
        "username": keystone.user,
        "password": keystone.password,
        "interface": "public",
        "region_name": "RegionOne",
    }
    return AgentOfHost(**{"url": None, **settings, **changes})


@pytest.mark.parametrize("path", ["", "/", "/v3"])
def test_the_catalog_says_where_and_one_token_lasts(keystone: Keystone, placement: Placement, path: str) -> None:
    agent = agent_of(keystone, auth_url=keystone.url + path)
    assert agent.turn() is None
    agent.change(memory=replace(machine().memory, total_bytes=12 * GIB))
    assert agent.turn() is None
    assert placement.inventories(agent.uuid)["MEMORY_MB"]["total"] == 12288
    assert keystone.tokens == 1


def test_a_url_decides_over_the_catalog(keystone: Keystone, placement: Placement, proxy: Proxy) -> None:
    keystone.services["placement"] = f"http://127.0.0.1:{free_port()}"
    agent = agent_of(keystone, url=proxy.url)
    assert agent.turn() is None
    assert agent.name in placement.tree(agent.uuid)


def test_a_token_that_is_not_taken_any_more_is_replaced(keystone: Keystone, proxy: Proxy) -> None:
    agent = agent_of(keystone)
    agent.turn()
    refused: list[str] = []

    def refuse_once(method: str, path: str) -> Reply | None:
        if refused:
            return None
        refused.append(path)
        return Reply(401, b"")

    proxy.meddle = refuse_once
    agent.change(memory=replace(machine().memory, total_bytes=12 * GIB))
    assert agent.turn() is None
    assert (len(refused), keystone.tokens) == (1, 2)


class TestWhatIsWrong:
    def test_a_wrong_password_is_told_without_it(self, keystone: Keystone, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            trouble = agent_of(keystone, password="hunter2").turn() or ""  # the wrong one
        assert f"Keystone at {keystone.url} refuses user 'agent' of project 'service'" in trouble
        assert "hunter2" not in trouble + caplog.text

    def test_no_password_is_logged_at_debug_either(self, keystone: Keystone, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            assert agent_of(keystone).turn() is None
        assert keystone.password not in caplog.text

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"region_name": "Mars"}, "knows no public endpoint of Placement in Mars"),
            ({"interface": "internal"}, "knows no internal endpoint of Placement in RegionOne"),
        ],
    )
    def test_a_catalog_without_placement_is_told(self, keystone: Keystone, changes: dict[str, str], words: str) -> None:
        trouble = agent_of(keystone, **changes).turn() or ""
        assert words in trouble
        assert "correct interface and region_name of [placement], or give its url" in trouble

    def test_a_keystone_that_is_away_is_not_taken_for_placement(self, keystone: Keystone) -> None:
        nobody = f"http://127.0.0.1:{free_port()}"
        agent = agent_of(keystone, auth_url=nobody)
        assert (agent.turn() or "").startswith(f"Keystone at {nobody}: Connection refused: make it reachable")

    def test_a_placement_that_is_away_is_not_taken_for_keystone(self, keystone: Keystone) -> None:
        nobody = f"http://127.0.0.1:{free_port()}"
        keystone.services["placement"] = nobody
        trouble = agent_of(keystone).turn() or ""
        assert trouble.startswith(f"Placement at {nobody}: Connection refused: make it reachable")

    def test_an_auth_url_of_somebody_else_is_told(self, keystone: Keystone, proxy: Proxy) -> None:
        proxy.meddle = lambda method, path: Reply(200, b"<html>It works!</html>")
        trouble = agent_of(keystone, auth_url=proxy.url).turn() or ""
        assert trouble.startswith(f"Keystone at {proxy.url}: ")
        assert "correct [placement] auth_url" in trouble
        assert "\n" not in trouble
