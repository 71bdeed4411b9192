# SPDX-License-Identifier: Apache-2.0
"""`host-agent token`: made, listed, deleted; and the policy's sample."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.host_agent.process.conftest import HostAgent

TOP = Path(__file__).resolve().parents[3]


@pytest.fixture
def agent(agent: HostAgent) -> HostAgent:
    """Give one whose database is there."""
    agent.state.mkdir()
    assert agent("db", "upgrade").code == 0
    agent.environment["OS_CAPABILITY_API__AUTH"] = "token"
    return agent


def test_a_token_is_printed_once_and_never_again(agent: HostAgent) -> None:
    made = agent("token", "create", "grafana", "--role", "reader")
    token = made.out.strip()
    assert (made.code, made.err, len(token)) == (0, "", 43)

    listed = agent("token", "list")
    assert listed.out.splitlines()[0].split() == ["NAME", "ROLE", "CREATED", "EXPIRES"]
    assert listed.out.splitlines()[1].split()[:2] == ["grafana", "reader"]
    assert listed.out.endswith("never\n")
    for said in (listed, agent("token", "list", "-f", "json"), agent("config", "show")):
        assert token not in said.out


def test_one_that_expires_says_when(agent: HostAgent) -> None:
    assert agent("token", "create", "nightly", "--role", "writer", "--expires", "30").code == 0
    (token,) = json.loads(agent("token", "list", "-f", "json").out)

    assert (token["name"], token["role"], token["is_expired"]) == ("nightly", "writer", False)
    assert token["created_at"] < token["expires_at"]
    assert agent("token", "list").out.count("Z") == 2


def test_one_that_is_deleted_is_gone(agent: HostAgent) -> None:
    agent("token", "create", "grafana", "--role", "reader")
    assert agent("token", "delete", "grafana").code == 0
    assert json.loads(agent("token", "list", "-f", "json").out) == []

    again = agent("token", "delete", "grafana")
    assert (again.code, again.err) == (
        1,
        "host-agent: no token is called 'grafana': `host-agent token list` shows them\n",
    )


def test_a_name_is_given_once(agent: HostAgent) -> None:
    agent("token", "create", "grafana", "--role", "reader")
    again = agent("token", "create", "grafana", "--role", "admin")

    assert (again.code, again.out) == (1, "")
    assert "there is a token called 'grafana' already" in again.err


def test_whoever_makes_one_that_nobody_will_ask_for_is_told(agent: HostAgent) -> None:
    made = agent("token", "create", "grafana", "--role", "reader", OS_CAPABILITY_API__AUTH="none")
    assert made.code == 0
    assert "[api] auth is none: no token is asked for until it is token" in made.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("create",),
        ("create", "x"),
        ("create", "x", "--role", "root"),
        ("create", "", "--role", "reader"),
        ("create", " x", "--role", "reader"),
        ("create", "x\ny", "--role", "reader"),
        ("create", "x" * 256, "--role", "reader"),
        ("create", "x", "--role", "reader", "--expires", "0"),
        ("create", "x", "--role", "reader", "--expires", "soon"),
        ("create", "x", "--role", "reader", "--expires", "999999999999"),
        ("delete",),
    ],
)
def test_wrong_usage_is_one_line_and_makes_none(agent: HostAgent, arguments: tuple[str, ...]) -> None:
    answer = agent("token", *arguments)

    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert json.loads(agent("token", "list", "-f", "json").out) == []


def test_the_sample_of_the_policy_is_what_the_command_prints(agent: HostAgent) -> None:
    assert agent("config", "policy").out == (TOP / "etc" / "policy.yaml.sample").read_text()
