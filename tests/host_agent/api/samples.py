# SPDX-License-Identifier: Apache-2.0
"""Requests of every operation, answered over a small fleet that is always the same: the samples of docs/api.md.

``python -m tests.host_agent.api.samples`` writes them there anew.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from falcon import testing

from host_agent import store
from host_agent.api.auth.nobody import NoAuthentication
from host_agent.api.openapi.apis import APIS, api_of
from host_agent.api.openapi.operations import described
from host_agent.api.openapi.page import other_form
from host_agent.api.operation import PUBLIC, Operation, Variant
from host_agent.api.routes import ROUTES, Route
from host_agent.api.wsgi import build
from host_agent.settings import load
from host_agent.store import migrate, open_engine
from host_agent.store.engine import Engine
from tests.host_agent.facts import GIB, record, uuid
from tests.host_agent.store.fleet import age, claim
from tests.host_agent.store.workloads import move, vm, vm_uuid

__all__ = ["SAMPLES", "Sample", "answered", "fleet", "operation_of", "page"]

PAGE = Path(__file__).resolve().parents[3] / "docs" / "api.md"
BEGIN, END = "<!-- samples -->", "<!-- /samples -->"

# 1 day, 3:04 hours and 5 seconds, in microseconds.
_SINCE_BOOT = 97_445_000_000


# What an agent that found libvirt offers of each host.
_OFFERED: Mapping[str, Any] = {
    "hypervisor_type": "QEMU",
    "hypervisor_version": 8_002_002,
    "pcpus": 0,
    "reserved_host_cpus": 0,
    "reserved_host_memory_mb": 512,
    "reserved_host_disk_mb": 0,
    "cpu_allocation_ratio": 4.0,
    "ram_allocation_ratio": 1.0,
    "disk_allocation_ratio": 1.0,
    "local_gb": 500,
    "disk_available_least": 480,
    "no_of_containers": 0,
    "labels": "{}",
    "runtimes": '["runc"]',
    "enable_cpu_pinning": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One request.

    Attributes:
        path: the template, as the table of routes has it.
        parts: what stands in it.
        version: asked for in Nova's or Zun's header.
        only: shows of a text the lines alone that match; the others differ each time.
        most_lines: shows so many.
    """

    method: str = "GET"
    path: str
    parts: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    version: str | None = None
    body: object = None
    only: str = ""
    most_lines: int = 60

    @property
    def url(self) -> str:
        """Give the path with its parts and its query."""
        path = re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: self.parts[found[1]], self.path)
        return f"{path}?{self.query}" if self.query else path

    @property
    def headers(self) -> dict[str, str]:
        """Give what asks for the version."""
        return {} if self.version is None else {"OpenStack-API-Version": self.version}


class Answered(NamedTuple):
    """A sample with its answer."""

    sample: Sample
    answer: testing.Result


_HYPERVISORS, _AGGREGATES = "/v2.1/os-hypervisors", "/v2.1/os-aggregates"
_SERVICES, _HOSTS, _ZONES = "/v2.1/os-services", "/v2.1/os-hosts", "/v2.1/os-availability-zone"
_WORKLOAD = {
    "name": "web-2",
    "engine": "docker",
    "kind": "container",
    "state": "running",
    "host": "node-2",
    "vcpus": 1.5,
    "memory_bytes": 2 * GIB,
    "labels": {"team": "blue"},
}
_MIGRATION = {
    "workload_uuid": vm_uuid(2),
    "source_host": "node-2",
    "dest_host": "node-1",
    "status": "running",
    "migration_type": "live-migration",
}
_NUMBER, _UUID = {"hypervisor": "1"}, {"hypervisor": uuid(1)}
_SERVICE = {"service": store.service_uuid(uuid(3), "nova-compute")}
_AGGREGATE = {"aggregate": "2"}
_HOST, _MOVE = {"host": "node-1"}, {"uuid": move(2).uuid}
_OLD, _FULL, _NEW = "compute 2.52", "compute 2.87", "compute 2.104"

# In the order in which they are sent: what is made is there for those that follow.
SAMPLES: tuple[Sample, ...] = (
    Sample(path="/"),
    Sample(path="/v2.1"),
    Sample(path="/v1"),
    Sample(path="/v{major:int}", parts={"major": "3"}),
    Sample(path=_HYPERVISORS, version=_NEW, query="limit=2"),
    Sample(path=f"{_HYPERVISORS}/detail", version=_NEW, query="limit=1&with_servers=true"),
    Sample(path=f"{_HYPERVISORS}/detail", version=_FULL, query="hypervisor_hostname_pattern=node-1"),
    Sample(path=f"{_HYPERVISORS}/{{hypervisor}}", parts=_UUID, version=_NEW),
    Sample(path=f"{_HYPERVISORS}/statistics", version=_FULL),
    Sample(path=f"{_HYPERVISORS}/{{hypervisor}}/uptime", parts=_UUID, version=_FULL),
    Sample(path=f"{_HYPERVISORS}/{{hypervisor}}/search", parts={"hypervisor": "node"}, version=_OLD),
    Sample(path=f"{_HYPERVISORS}/{{hypervisor}}/servers", parts={"hypervisor": "node"}, version=_OLD),
    Sample(path=_SERVICES, version=_NEW, query="host=node-1"),
    Sample(
        method="PUT",
        path=f"{_SERVICES}/{{service}}",
        parts=_SERVICE,
        version=_NEW,
        body={"status": "disabled", "disabled_reason": "a fan is broken"},
    ),
    Sample(
        method="PUT",
        path=f"{_SERVICES}/{{service}}",
        parts={"service": "enable"},
        version=_OLD,
        body={"host": "node-3", "binary": "nova-compute"},
    ),
    Sample(method="DELETE", path=f"{_SERVICES}/{{service}}", parts=_SERVICE, version=_NEW),
    Sample(
        method="POST",
        path=_AGGREGATES,
        version=_NEW,
        body={"aggregate": {"name": "slow", "availability_zone": "az-2"}},
    ),
    Sample(path=_AGGREGATES, version=_NEW),
    Sample(path=f"{_AGGREGATES}/{{aggregate}}", parts={"aggregate": "1"}, version=_NEW),
    Sample(
        method="PUT",
        path=f"{_AGGREGATES}/{{aggregate}}",
        parts=_AGGREGATE,
        version=_NEW,
        body={"aggregate": {"name": "spinning"}},
    ),
    Sample(
        method="POST",
        path=f"{_AGGREGATES}/{{aggregate}}/action",
        parts=_AGGREGATE,
        version=_NEW,
        body={"set_metadata": {"metadata": {"disk": "spinning"}}},
    ),
    Sample(method="DELETE", path=f"{_AGGREGATES}/{{aggregate}}", parts=_AGGREGATE, version=_NEW),
    Sample(path=_ZONES),
    Sample(path=f"{_ZONES}/detail"),
    Sample(path=_HOSTS),
    Sample(path=f"{_HOSTS}/{{host}}", parts=_HOST),
    Sample(method="PUT", path=f"{_HOSTS}/{{host}}", parts=_HOST, body={"status": "disable"}),
    *(Sample(path=f"{_HOSTS}/{{host}}/{what}", parts=_HOST) for what in ("startup", "shutdown", "reboot")),
    Sample(path="/v1/hosts", query="limit=1"),
    Sample(path="/v1/hosts/{host}", parts=_HOST, version="container 1.40"),
    Sample(path="/v1/hosts/{host}/numa", parts=_HOST),
    Sample(path="/v1/hosts/{host}/document", parts=_HOST),
    Sample(path="/v1/hosts/{host}/events", parts=_HOST),
    Sample(path="/v1/events", query="limit=1"),
    Sample(path="/v1/usage"),
    Sample(path="/v1/fit", query="vcpus=4&memory=2GiB&numa_nodes=1"),
    Sample(path="/v1/fit", query="vcpus=1&memory=64GiB"),
    Sample(method="PUT", path="/v1/workloads/{uuid}", parts={"uuid": vm_uuid(2)}, body=_WORKLOAD),
    Sample(path="/v1/workloads/{uuid}", parts={"uuid": vm_uuid(1)}),
    Sample(path="/v1/workloads", query="host=node-2"),
    Sample(method="PUT", path="/v1/migrations/{uuid}", parts=_MOVE, body=_MIGRATION),
    Sample(path="/v1/migrations/{uuid}", parts=_MOVE),
    Sample(path="/v1/migrations", query="in_progress=true"),
    Sample(method="DELETE", path="/v1/migrations/{uuid}", parts=_MOVE),
    Sample(method="DELETE", path="/v1/workloads/{uuid}", parts={"uuid": vm_uuid(2)}),
    Sample(path="/healthcheck"),
    Sample(path="/healthcheck/live"),
    Sample(path="/healthcheck/ready"),
    Sample(path="/metrics", only=r"os_capability_fleet|_up |requests_total.*os-aggregates"),
    Sample(path="/openapi.json", most_lines=3),
    Sample(path="/docs"),
)


def fleet(engine: Engine) -> None:
    """Make the fleet: node-1 and node-2 in the zone az-1, node-3 without one and silent for an hour."""
    migrate.create(engine)
    for number in (1, 2, 3):
        claimed = claim(number)
        lease = store.register(engine, claimed).lease
        store.upsert(engine, record(number, boot_id=claimed.boot_id, sequence=_SINCE_BOOT, **_OFFERED), lease)
    store.create_aggregate(engine, "fast", "az-1")
    for host in ("node-1", "node-2"):
        store.add_host(engine, 1, host)
    store.record_workload(engine, vm(1, memory_bytes=GIB), "node-1")
    age(engine, "last_seen_up", 3600, number=3)


def answered(engine: Engine, samples: Iterable[Sample] = SAMPLES) -> Iterator[Answered]:
    """Send requests to the application over a database, one after the other."""
    settings = load(environ={"OS_CAPABILITY_CONFIG_FILE": "/dev/null", "STATE_DIRECTORY": "/nonexistent"}).settings
    api = testing.TestClient(build(settings, engine, NoAuthentication()))
    for sample in samples:
        path, _, query = sample.url.partition("?")
        body = None if sample.body is None else json.dumps(sample.body)
        answer = api.simulate_request(
            sample.method, path, query_string=query, headers=sample.headers, body=body, host="127.0.0.1", port=8775
        )
        yield Answered(sample, answer)


def operation_of(sample: Sample) -> tuple[Route, Operation]:
    """Give what the table has for a sample."""
    route = next(route for route in ROUTES if route.path == sample.path)
    return route, route.operations[sample.method]


def page(answers: Iterable[Answered]) -> str:
    """Give the samples in Markdown, by API and operation, in the order of the table."""
    shown: dict[tuple[str, str], list[Answered]] = {}
    for one in answers:
        shown.setdefault((one.sample.path, one.sample.method), []).append(one)
    names = _Names()
    paths = {route.path for route in ROUTES}
    chapters = {api.name: [f"## {api.name}\n\n{api.about}\n"] for api in APIS}
    for route in ROUTES:
        if other_form(route.path) in paths:
            continue
        told = chapters[api_of(route.dialect).name]
        for method, operation in route.operations.items():
            if method != "HEAD":
                told.append(_operation(route, method, operation))
                told += [_sample(one, names) for one in shown[route.path, method]]
    return "\n".join(text for told in chapters.values() for text in told)


def _operation(route: Route, method: str, operation: Operation) -> str:
    api = api_of(route.dialect)
    versions = ", ".join(filter(None, (_range(one) for one in operation.variants)))
    about = "anybody" if operation.role == PUBLIC else f"role {operation.role}, policy `{', '.join(operation.rules)}`"
    of_versions = f"; versions {versions}" if versions else ""
    path = re.sub(r":\w+\}", "}", route.path)
    parameters = [one for one in described(path, method, operation, api)["parameters"] if one.get("in") == "query"]
    query = "".join(f"- {_parameter(one)}\n" for one in parameters)
    listed = f"\n{query}" if query else ""
    return f"### `{method} {path}`\n\n{operation.summary} For {about}{of_versions}.\n{listed}"


def _parameter(told: Mapping[str, Any]) -> str:
    about = told.get("description", "")
    return f"`{told['name']}`: {about}" if about else f"`{told['name']}`"


def _range(variant: Variant) -> str:
    if variant.since is None and variant.until is None:
        return ""
    return f"{variant.since or ''} to {variant.until or ''}".strip() if variant.until else f"{variant.since} and later"


def _sample(one: Answered, names: _Names) -> str:
    sample, answer = one
    request = [f"{sample.method} {sample.url}", *(f"{name}: {value}" for name, value in sample.headers.items())]
    if sample.body is not None:
        request += ["", json.dumps(sample.body)]
    kind = answer.headers.get("content-type", "").partition(";")[0]
    lines = []
    if answer.content and kind == "application/json":
        lines = json.dumps(_shortened(answer.json), indent=2).splitlines()
    elif answer.content and kind == "text/plain":
        lines = [line for line in answer.text.splitlines() if re.search(sample.only, line)]
    if len(lines) > sample.most_lines:
        lines = [*lines[: sample.most_lines], "..."]
    text = names.told("\n".join(lines))
    status = answer.status + ("" if kind in ("application/json", "text/plain") or not answer.content else f", {kind}")
    language = "json" if kind == "application/json" and "..." not in lines else ""
    shown = f"\n```{language}\n{text}\n```" if text else ""
    return f"```http\n{chr(10).join(request)}\n```\n\n{status}\n{shown}\n"


def _shortened(value: Any) -> Any:
    """Cut long texts: they are for programs."""
    if isinstance(value, dict):
        return {name: _shortened(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_shortened(member) for member in value]
    return f"{value[:120]}..." if isinstance(value, str) and len(value) > 160 else value


class _Names:
    """Gives times and made-up uuids their names in the page: they differ in each run."""

    _UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
    _DAY = re.compile(r"20\d\d-\d\d-\d\d([T ])\d\d:\d\d:\d\d(\.\d+)?")
    _CLOCK = re.compile(r"\d\d:\d\d:\d\d up")

    def __init__(self) -> None:
        fixed = [uuid(number) for number in (1, 2, 3)]
        known = [*fixed, *(store.service_uuid(one, "nova-compute") for one in fixed), vm_uuid(1), vm_uuid(2)]
        known += [move(2).uuid, record().boot_id or "", "11111111-2222-4333-8444-555555555555"]
        self._uuids = {one: one for one in known}

    def told(self, text: str) -> str:
        text = self._UUID.sub(lambda found: self._name(found[0]), text)
        text = self._DAY.sub(lambda found: f"2026-11-21{found[1]}12:00:00{'.000000' if found[2] else ''}", text)
        return self._CLOCK.sub("12:00:00 up", text)

    def _name(self, found: str) -> str:
        if found.startswith("66666666"):
            return found
        made_up = sum(key != value for key, value in self._uuids.items())
        return self._uuids.setdefault(found, f"eeeeeeee-0000-4000-8000-{made_up + 1:012d}")


def regenerated(samples: Iterable[Sample] = SAMPLES) -> str:
    """Give what stands between the marks in the page."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{folder}/state.sqlite")
        try:
            fleet(engine)
            return page(list(answered(engine, samples)))
        finally:
            engine.dispose()


def main() -> None:
    before, _, rest = PAGE.read_text().partition(f"{BEGIN}\n")
    PAGE.write_text(f"{before}{BEGIN}\n{regenerated()}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
