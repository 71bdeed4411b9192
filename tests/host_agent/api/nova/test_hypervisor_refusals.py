# SPDX-License-Identifier: Apache-2.0
"""What ``os-hypervisors`` refuses, in Nova's words."""

from __future__ import annotations

import pytest
from falcon import testing

from host_agent.store.engine import Engine
from tests.host_agent.api.nova.asking import fault
from tests.host_agent.api.nova.hypervisors import HYPERVISORS, ask
from tests.host_agent.facts import uuid
from tests.host_agent.store.fleet import enlist

NOT_HERE = "The resource could not be found."
MALFORMED = "The server could not comply with the request since it is either malformed or otherwise incorrect."
WORDS = (
    "[True, 'True', 'TRUE', 'true', '1', 'ON', 'On', 'on', 'YES', 'Yes', 'yes', "
    "False, 'False', 'FALSE', 'false', '0', 'OFF', 'Off', 'off', 'NO', 'No', 'no']"
)


def wrong(name: str, value: str, why: str) -> str:
    return f"Invalid input for query parameters {name}. Value: {value}. {why}"


# What a Nova 34 answered.
REFUSALS = (
    ("2.53", "", "limit=-1", 400, wrong("limit", "-1", "'-1' does not match '^[0-9]*$'")),
    ("2.53", "", "limit=abc", 400, wrong("limit", "abc", "'abc' does not match '^[0-9]*$'")),
    ("2.33", "", "limit=abc", 400, wrong("limit", "abc", "'abc' does not match '^[0-9]*$'")),
    ("2.53", "", "limit=", 400, wrong("limit", "", "'' should be non-empty")),
    ("2.53", "", "limit=5&limit=6", 400, wrong("limit", "['5', '6']", "['5', '6'] is too long")),
    ("2.53", "", "marker=nope", 400, "marker [nope] not found"),
    ("2.33", "", "marker=99999", 400, "marker [99999] not found"),
    ("2.53", "", "bogus=1", 400, "Additional properties are not allowed ('bogus' was unexpected)"),
    ("2.53", "/detail", "bogus=1", 400, "Additional properties are not allowed ('bogus' was unexpected)"),
    ("2.53", "/1", "bogus=1", 400, "Additional properties are not allowed ('bogus' was unexpected)"),
    ("2.53", "", "hypervisor_hostname_pattern=fake&limit=1", 400, MALFORMED),
    ("2.53", "", "hypervisor_hostname_pattern=fake&marker=x", 400, MALFORMED),
    (
        *("2.53", "", "hypervisor_hostname_pattern=", 400),
        wrong("hypervisor_hostname_pattern", "", "'' should be non-empty"),
    ),
    *(
        (
            *("2.53", "", f"hypervisor_hostname_pattern={sent}", 400),
            wrong("hypervisor_hostname_pattern", text, f"'{text}' does not match '^[a-zA-Z0-9-._]*$'"),
        )
        for sent, text in (("a%20b", "a b"), ("%25", "%"))
    ),
    ("2.53", "", "with_servers=maybe", 400, wrong("with_servers", "maybe", f"'maybe' is not one of {WORDS}")),
    ("2.53", f"/{uuid(1)}", "with_servers=", 400, wrong("with_servers", "", f"'' is not one of {WORDS}")),
    ("2.88", "/statistics", "", 404, NOT_HERE),
    ("2.88", f"/{uuid(1)}/uptime", "", 404, NOT_HERE),
    ("2.53", "/node/search", "", 404, NOT_HERE),
    ("2.53", "/node/servers", "", 404, NOT_HERE),
    ("2.52", "/nomatch/search", "", 404, "No hypervisor matching 'nomatch' could be found."),
)


def test_what_is_wrong_is_said_as_nova_says_it(fleet: Engine, api: testing.TestClient) -> None:
    enlist(fleet)

    for version, path, query, status, message in REFUSALS:
        headers = {"X-OpenStack-Nova-API-Version": version}
        answer = api.simulate_get(f"{HYPERVISORS}{path}", query_string=query, headers=headers)
        assert fault(answer) == (status, message)


@pytest.mark.parametrize(
    ("version", "markers"),
    [
        ("2.33", ("99999", "nope", uuid(1), "-1", str(2**63), "9" * 30, "", "1.0", "٣")),
        ("2.53", ("1", "nope", uuid(9), "", "9" * 40, f"{{{uuid(1)}}}")),
    ],
)
def test_a_marker_that_is_no_host_is_fault(
    fleet: Engine, api: testing.TestClient, version: str, markers: tuple[str, ...]
) -> None:
    enlist(fleet)

    for marker in markers:
        assert fault(ask(api, "", version, marker=marker)) == (400, f"marker [{marker}] not found")


@pytest.mark.parametrize("version", ["2.1", "2.52"])
def test_what_is_no_number_of_a_host_is_not_found(fleet: Engine, api: testing.TestClient, version: str) -> None:
    enlist(fleet)

    for name in ("2", "0", "-1", "node-1", uuid(1), str(2**63), "-" + "9" * 30, "1.0", "1 or 1=1", "None", "٣"):
        refusal = (404, f"Hypervisor with ID '{name}' could not be found.")
        assert fault(ask(api, f"/{name}", version)) == refusal
        assert fault(ask(api, f"/{name}/uptime", version)) == refusal


@pytest.mark.parametrize("version", ["2.53", "2.87", "2.88"])
def test_what_is_no_uuid_is_a_bad_request(fleet: Engine, api: testing.TestClient, version: str) -> None:
    enlist(fleet)

    for name in ("1", "node-1", "-1", "9" * 30, "1 or 1=1", uuid(1) + "0", uuid(1)[:-1], uuid(1)[:-1] + "٣"):
        assert fault(ask(api, f"/{name}", version)) == (400, f"Invalid uuid {name}")
    missing = (404, f"Hypervisor with ID '{uuid(9)}' could not be found.")
    assert fault(ask(api, f"/{uuid(9)}", version)) == missing


def test_no_host_found_is_an_error(fleet: Engine, api: testing.TestClient) -> None:
    enlist(fleet)

    for pattern in ("nomatch", "a' or ''='", "%", "\\"):
        for what in ("search", "servers"):
            path = f"{HYPERVISORS}/{pattern.replace('%', '%25')}/{what}"
            assert fault(api.simulate_get(path)) == (404, f"No hypervisor matching '{pattern}' could be found.")
