# SPDX-License-Identifier: Apache-2.0
"""``/metrics``, read back by the official parser: the requests of this service, and the fleet as the store has it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from falcon import testing
from prometheus_client.parser import text_string_to_metric_families

from host_agent import store
from host_agent.settings import Settings
from host_agent.store.engine import Engine
from tests.beds import absent
from tests.host_agent.api.conftest import client
from tests.host_agent.facts import record, uuid
from tests.host_agent.servers import free_port
from tests.host_agent.store.fleet import BOOT, age, enlist

TOP = Path(__file__).resolve().parents[3]
ZONES = "/v2.1/os-availability-zone"


def samples(text: str) -> dict[str, float]:
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            key = sample.name.removeprefix("os_capability_") + (f"{{{labels}}}" if labels else "")
            assert key not in found
            found[key] = sample.value
    return found


def test_requests_are_told_by_route_method_and_class_of_status(api: testing.TestClient) -> None:
    for path in (ZONES, "/v2.1/some-project/os-availability-zone", "/nothing", "/nothing/else"):
        api.simulate_get(path)
    api.simulate_get(ZONES, headers={"OpenStack-API-Version": "compute 2.9999"})

    answer = api.simulate_get("/metrics")
    found = samples(answer.text)

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert found[f"api_requests_total{{method=GET,route={ZONES},status=2xx}}"] == 1
    assert found[f"api_requests_total{{method=GET,route={ZONES},status=4xx}}"] == 1
    in_project = "/v2.1/{project_id}/os-availability-zone"
    assert found[f"api_requests_total{{method=GET,route={in_project},status=2xx}}"] == 1
    assert found["api_requests_total{method=any,route=unmatched,status=4xx}"] == 2
    took = "api_request_duration_seconds"
    assert found[f"{took}_count{{method=GET,route={ZONES}}}"] == 2
    assert found[f"{took}_bucket{{le=+Inf,method=GET,route={ZONES}}}"] == 2
    assert 0 < found[f"{took}_sum{{method=GET,route={ZONES}}}"] < 10
    assert api.simulate_get("/metrics").text.count('route="/metrics"') > 0, "it counts itself from the second time on"


def test_the_fleet_is_told_from_the_store(api_everywhere: testing.TestClient, engine: Engine) -> None:
    for number in (1, 2, 3):
        enlist(engine, number)
    age(engine, "last_seen_up", 3600, number=2)
    store.retire(engine, uuid(3))

    found = samples(api_everywhere.simulate_get("/metrics").text)

    states = {key: value for key, value in found.items() if key.startswith("fleet_hosts")}
    assert states == {
        "fleet_hosts{state=up}": 1,
        "fleet_hosts{state=down}": 1,
        "fleet_hosts{state=retired}": 1,
        "fleet_hosts{state=stale}": 0,
        "fleet_hosts{state=disabled}": 0,
    }
    usage = store.fleet_usage(engine, down_after_seconds=60)
    for resource, one in usage.resources.items():
        told = [
            found.get(f"fleet_resource_{figure}{{resource={resource}}}")
            for figure in ("inventory", "capacity", "used", "unknown_hosts")
        ]
        assert told == [one.total, one.capacity, one.used, one.unknown]
    assert found["fleet_resource_inventory{resource=VCPU}"] == 16
    assert found["api_database_up"] == 1


def test_without_the_database_the_requests_are_told_all_the_same(
    opened: Callable[..., Engine], settings: Settings
) -> None:
    api = client(opened(f"postgresql+psycopg://agent@127.0.0.1:{free_port()}/fleet"), settings)
    assert api.simulate_get(ZONES).status_code == 503

    answer = api.simulate_get("/metrics")
    found = samples(answer.text)

    assert answer.status_code == 200
    assert found["api_database_up"] == 0
    assert found[f"api_requests_total{{method=GET,route={ZONES},status=5xx}}"] == 1
    assert [key for key in found if key.startswith("fleet")] == []


@pytest.fixture
def told(api: testing.TestClient, fleet: Engine) -> str:
    lease = enlist(fleet)
    store.upsert(fleet, record(boot_id=BOOT, sequence=2, cpu_allocation_ratio=4.0, reserved_host_cpus=0), lease)
    api.simulate_get(ZONES)
    return api.simulate_get("/metrics").text


def test_names_follow_the_conventions_and_come_once(told: str) -> None:
    found = list(text_string_to_metric_families(told))
    names = [family.name for family in found]
    assert len(names) == len(set(names))
    for family in found:
        assert family.documentation.endswith(".")
        assert re.fullmatch(r"os_capability_(api|fleet)_[a-z_]+", family.name)


def test_the_page_has_every_metric_of_the_api_with_its_type_and_labels(told: str) -> None:
    row = re.compile(r"^\| `(os_capability_(?:api|fleet)_\w+)` \| (\w+) \| (.*?) ?\| .+ \|$", re.MULTILINE)
    page = {
        name.removesuffix("_total"): (kind, set(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in row.findall((TOP / "docs" / "metrics.md").read_text())
    }
    found = {
        family.name: (family.type, {label for sample in family.samples for label in sample.labels} - {"le"})
        for family in text_string_to_metric_families(told)
    }
    assert page == found


def test_promtool_has_nothing_to_say(told: str) -> None:
    tool = shutil.which("promtool") or absent("promtool is not installed")
    done = subprocess.run([tool, "check", "metrics"], input=told, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
