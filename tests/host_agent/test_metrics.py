# SPDX-License-Identifier: Apache-2.0
"""The agent's metrics, read back by the official parser; served, and kept in a file."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from host_agent.errors import ConfigError
from host_agent.health import COLLECT, PLACEMENT, REPORT, SURVEY, Health, PartHealth, Snapshot
from host_agent.metrics import Metrics, families
from host_agent.settings import MetricsSettings
from host_agent.workloads.discovery import Discovery, SeenEngine
from host_agent.workloads.engine import ANSWERED, EngineReport
from host_agent.workloads.workload import CONTAINER, RUNNING, STOPPED, Workload
from os_capability import collect
from os_capability.render.prometheus import prometheus_text
from tests.beds import absent

TOP = Path(__file__).resolve().parents[2]
HOST = str(TOP / "tests" / "hosts" / "x86_64-two-sockets" / "root")
NOWHERE = MetricsSettings(bind=None, textfile=None)


DISCOVERY = Discovery(
    engines=(
        SeenEngine(report=EngineReport(engine="docker", status=ANSWERED)),
        SeenEngine(report=EngineReport(engine="libvirt", status=ANSWERED), age_seconds=61.0, trouble="it hangs"),
    ),
    workloads=tuple(
        Workload(uuid=str(uuid.UUID(int=number)), name=f"c{number}", engine="docker", kind=CONTAINER, state=state)
        for number, state in enumerate((RUNNING, RUNNING, STOPPED))
    ),
)


def eventful() -> Health:
    """Give an agent to which everything happened that there is a metric for."""
    health = Health()
    turns = ((COLLECT, None), (COLLECT, "unreadable"), (SURVEY, None), (REPORT, "refused"), (REPORT, None))
    for job, trouble in (*turns, (PLACEMENT, None)):
        health.begin(job)
        health.end(job, trouble)
    health.retried("StoreUnreachable")
    now = time.monotonic()
    health.set(
        host_uuid="6b2c8a3e-0d56-4a3c-9b2e-2f1f5d0c9a11",
        host="node-1",
        registered=True,
        database_up=True,
        parts={"cpu": PartHealth(seconds=0.25, success=True), "pci": PartHealth(seconds=0.5, success=False)},
        facts=collect(HOST, "sysfs"),
        facts_at=now,
        stored_at=now,
        discovery=DISCOVERY,
        spool_depth=3,
        events_lost=2,
    )
    return health


def own(snapshot: Snapshot, now_seconds: float = 1_800_000_000.0) -> dict[str, float]:
    """Give the agent's own samples by name and labels, without the prefix."""
    text = prometheus_text(families(snapshot, now_seconds, "1.2.3"))
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            key = sample.name.removeprefix("os_capability_agent_") + (f"{{{labels}}}" if labels else "")
            assert key not in found
            found[key] = sample.value
    return found


def test_what_happened_is_told() -> None:
    snapshot = eventful().snapshot()
    now = snapshot.now
    snapshot = replace(
        snapshot,
        started_at=now - 100,
        facts_at=now - 30,
        report=replace(snapshot.report, succeeded_at=now - 5, seconds=0.5),
    )
    found = own(snapshot)

    assert found["start_time_seconds"] == 1_800_000_000 - 100
    assert found["facts_age_seconds"] == 30
    assert found["last_report_time_seconds"] == 1_800_000_000 - 5
    assert found["last_report_duration_seconds"] == 0.5
    assert found["collections_total{result=success}"] == found["collections_total{result=failure}"] == 1
    assert found["reports_total{result=success}"] == found["reports_total{result=failure}"] == 1
    assert found["collection_duration_seconds{part=cpu}"] == 0.25
    assert found["collection_success{part=pci}"] == 0
    assert found["retries_total{reason=StoreUnreachable}"] == 1
    assert found["placement_reports_total{result=success}"] == 1
    assert found["surveys_total{result=success}"] == 1
    assert (found["engine_up{engine=docker}"], found["engine_up{engine=libvirt}"]) == (1, 0)
    assert found["engine_report_age_seconds{engine=libvirt}"] == 61
    assert found["workloads{engine=docker,kind=container,state=running}"] == 2
    assert found["workloads{engine=docker,kind=container,state=stopped}"] == 1
    assert (found["spool_depth"], found["events_lost_total"]) == (3, 2)
    assert found["database_up"] == 1
    assert found["host_info{host=node-1,uuid=6b2c8a3e-0d56-4a3c-9b2e-2f1f5d0c9a11}"] == 1
    assert any(key.startswith("build_info{python=3.") and "version=1.2.3" in key for key in found)


def test_what_is_unknown_has_no_metric() -> None:
    found = own(Health().snapshot())
    unknown = ("facts_age_seconds", "database_up", "last_report_time_seconds", "host_info", "collection_duration")
    assert [key for key in found if key.startswith(unknown)] == []
    assert [key for key in found if "placement" in key] == [], "it is not set up"
    assert found["duplicate_identity"] == found["retired"] == found["registered"] == 0


def test_a_collection_that_hangs_is_told_while_it_hangs() -> None:
    health = Health()
    health.begin(COLLECT)
    health.stuck(COLLECT)
    assert own(health.snapshot())["collection_stuck"] == 1
    health.end(COLLECT)
    assert own(health.snapshot())["collection_stuck"] == 0


def test_names_follow_the_conventions_and_come_once() -> None:
    text = Metrics(NOWHERE, eventful(), "1.2.3").text()
    found = list(text_string_to_metric_families(text))
    names = [family.name for family in found]
    assert len(names) == len(set(names))
    assert "os_capability_memory_total_bytes" in names, "the host's own facts follow"
    for family in found:
        assert family.documentation.endswith(".")
        assert re.fullmatch(r"os_capability_[a-z_]+", family.name)
        counted = {sample.name.endswith("_total") for sample in family.samples}
        assert counted == {family.type == "counter"}
    assert text.endswith("\n")


def test_the_page_has_every_metric_of_the_agent_with_its_type_and_labels() -> None:
    row = re.compile(r"^\| `(os_capability_agent_\w+)` \| (\w+) \| (.*?) ?\| .+ \|$", re.MULTILINE)
    page = {
        name: (kind, set(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in row.findall((TOP / "docs" / "metrics.md").read_text())
    }
    told = {
        family.name: (family.type, {label for sample in family.samples for label in sample.labels})
        for family in families(eventful().snapshot(), 0.0, "1")
    }
    assert page == told


def test_promtool_has_nothing_to_say() -> None:
    tool = shutil.which("promtool") or absent("promtool is not installed")
    text = Metrics(NOWHERE, eventful(), "1.2.3").text()
    done = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[Metrics]:
    metrics = Metrics(MetricsSettings(bind=getattr(request, "param", "127.0.0.1:0"), textfile=None), eventful(), "1")
    metrics.start()
    yield metrics
    metrics.stop()


def ask(metrics: Metrics, method: str, path: str, host: str = "127.0.0.1") -> tuple[int, str, str]:
    with contextlib.closing(http.client.HTTPConnection(host, metrics.port, timeout=10)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read().decode()


@pytest.mark.parametrize("served", ["127.0.0.1:0", "localhost:0"], indirect=True)
def test_prometheus_gets_its_text_from_the_loopback(served: Metrics) -> None:
    status, kind, text = ask(served, "GET", "/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert {family.name for family in text_string_to_metric_families(text)} >= {
        "os_capability_agent_build_info",
        "os_capability_cpus",
    }
    assert ask(served, "HEAD", "/metrics")[2] == ""


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_it_listens_on_ipv6_as_well() -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    metrics = Metrics(MetricsSettings(bind="[::1]:0", textfile=None), eventful(), "1")
    metrics.start()
    assert ask(metrics, "GET", "/metrics", "::1")[0] == 200
    metrics.stop()


def test_there_is_nothing_else_to_get_or_to_do(served: Metrics) -> None:
    assert ask(served, "GET", "/")[0] == 404
    assert ask(served, "GET", "/metrics/../../etc/passwd")[0] == 404
    assert ask(served, "POST", "/metrics")[0] == 501


def test_a_client_that_says_nothing_does_not_keep_others_out(served: Metrics) -> None:
    assert served.port is not None
    with socket.create_connection(("127.0.0.1", served.port)) as silent:
        silent.sendall(b"GET /met")
        assert ask(served, "GET", "/metrics")[0] == 200


def test_a_client_that_goes_away_is_no_news(served: Metrics, capfd: pytest.CaptureFixture[str]) -> None:
    assert served.port is not None
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", served.port)) as gone:
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # a reset, not an end
            gone.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    assert ask(served, "GET", "/metrics")[0] == 200
    assert capfd.readouterr().err == ""


def test_a_stopped_server_listens_no_more_and_may_be_started_again_on_its_port() -> None:
    first = Metrics(MetricsSettings(bind="127.0.0.1:0", textfile=None), eventful(), "1")
    first.start()
    port = first.port
    ask(first, "GET", "/metrics")
    first.stop()
    second = Metrics(MetricsSettings(bind=f"127.0.0.1:{port}", textfile=None), eventful(), "1")
    second.start()
    assert ask(second, "GET", "/metrics")[0] == 200
    second.stop()


def test_a_port_in_use_is_refused_at_the_start(served: Metrics) -> None:
    again = Metrics(MetricsSettings(bind=f"127.0.0.1:{served.port}", textfile=None), eventful(), "1")
    with pytest.raises(ConfigError, match=rf"bind = 127.0.0.1:{served.port} .*Address already in use"):
        again.start()


def test_a_port_that_cannot_be_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match="no such port"):
        Metrics(MetricsSettings(bind="127.0.0.1:65536", textfile=None), eventful(), "1").start()


def test_the_file_is_whole_readable_for_all_and_gone_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "os-capability.prom"
    health = eventful()
    metrics = Metrics(MetricsSettings(bind=None, textfile=str(path)), health, "1")
    metrics.start()
    assert path.stat().st_mode & 0o777 == 0o644
    assert "os_capability_agent_spool_depth 3\n" in path.read_text()

    health.set(spool_depth=4)
    metrics.write()
    assert "os_capability_agent_spool_depth 4\n" in path.read_text()
    assert list(tmp_path.iterdir()) == [path]

    metrics.stop()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("textfile", "expected"),
    [("metrics.txt", "end in .prom"), ("none/x.prom", "may write to"), ("file/x.prom", "write")],
)
def test_a_file_that_cannot_be_is_refused_at_the_start(tmp_path: Path, textfile: str, expected: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=expected):
        Metrics(MetricsSettings(bind=None, textfile=str(tmp_path / textfile)), eventful(), "1").start()


def test_a_file_that_cannot_be_written_any_more_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "textfiles"
    folder.mkdir()
    metrics = Metrics(MetricsSettings(bind=None, textfile=str(folder / "x.prom")), eventful(), "1")
    metrics.start()
    shutil.rmtree(folder)
    for _ in range(3):
        metrics.write()
    folder.mkdir()
    metrics.write()

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"{folder}/x.prom: the metrics cannot be written: No such file" in caplog.text
    assert (folder / "x.prom").exists()


def test_who_asks_for_no_metrics_does_not_pay_for_a_server() -> None:
    code = "import sys, host_agent.metrics; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=TOP, env=dict(os.environ), capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"http.server", "host_agent.metrics_server"} & set(loaded) == set()


def test_a_scrape_that_finds_no_free_descriptor_waits_and_burns_nothing() -> None:
    program = (
        "import os, resource, sys, time\n"
        "from host_agent.metrics_server import MetricsServer\n"
        "server = MetricsServer('127.0.0.1:0', lambda: 'up 1\\n')\n"
        "limits = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir('/proc/self/fd'))), limits[1]))\n"
        "print(server.port, flush=True)\n"
        "sys.stdin.readline()\n"
        "began = time.process_time()\n"
        "time.sleep(1)\n"
        "print(time.process_time() - began, flush=True)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, limits)\n"
        "sys.stdin.readline()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, text=True, cwd=TOP) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        connection = http.client.HTTPConnection("127.0.0.1", int(process.stdout.readline()), timeout=60)
        connection.request("GET", "/metrics")
        process.stdin.write("connected\n")
        process.stdin.flush()
        assert float(process.stdout.readline()) < 0.5, "it asked again and again"
        assert connection.getresponse().read() == b"up 1\n"
        connection.close()
