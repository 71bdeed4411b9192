# SPDX-License-Identifier: Apache-2.0
"""Placement that is away, hangs, refuses, talks nonsense, or is changed by others at the same moment."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from host_agent.report.placement.client import PlacementClient
from host_agent.report.placement.errors import NotPlacement, PlacementError, PlacementUnreachable
from host_agent.report.placement.session import PlacementSession
from host_agent.settings import PlacementSettings
from tests.beds import absent
from tests.host_agent.facts import GIB, machine
from tests.host_agent.servers import free_port
from tests.placement.agent import AgentOfHost
from tests.placement.conftest import Start
from tests.placement.proxy import Meddling, Proxy, Reply
from tests.placement.servers import Placement

LARGER = replace(machine().memory, total_bytes=12 * GIB)


def before_first(ending: str, action: Callable[[], object]) -> Meddling:
    """Do something in the moment before the first PUT to a path that ends so goes on."""
    done: list[str] = []

    def meddle(method: str, path: str) -> Reply | None:
        if method == "PUT" and path.endswith(ending) and not done:
            done.append(path)
            action()
        return None

    return meddle


class TestOthersWriteToo:
    def test_a_second_writer_between_reading_and_writing_costs_one_more_try(
        self, start: Start, proxy: Proxy, placement: Placement
    ) -> None:
        agent = start()
        agent.turn()
        agent.change(memory=LARGER)
        proxy.meddle = before_first(
            "/inventories", lambda: placement.set_inventory(agent.uuid, "SRIOV_NET_VF", total=4)
        )
        assert agent.turn() is None
        assert [seen.status for seen in proxy.seen if seen.method == "PUT"][-2:] == [409, 200]
        found = placement.inventories(agent.uuid)
        assert (found["MEMORY_MB"]["total"], found["SRIOV_NET_VF"]["total"]) == (12288, 4)

    def test_one_between_the_traits_too(self, start: Start, proxy: Proxy, placement: Placement) -> None:
        agent = start()
        proxy.meddle = before_first("/traits", lambda: placement.add_traits(agent.uuid, "COMPUTE_NODE"))
        assert agent.turn() is None
        assert {"COMPUTE_NODE", "HW_ARCH_X86_64"} <= placement.traits(agent.uuid)

    def test_an_allocation_in_the_moment_something_goes_is_seen(
        self, start: Start, proxy: Proxy, placement: Placement
    ) -> None:
        agent = start()
        agent.turn()
        consumer = f"eeeeeeee-0000-4000-8000-{agent.number:012d}"
        agent.disk = replace(agent.disk or pytest.fail("no disk"), total_bytes=0)
        proxy.meddle = before_first("/inventories", lambda: placement.allocate(consumer, agent.uuid, DISK_GB=1))
        assert agent.turn() is None
        assert placement.inventories(agent.uuid)["DISK_GB"]["reserved"] == 1800

    def test_whoever_always_loses_gives_up_and_comes_back_later(
        self, start: Start, proxy: Proxy, placement: Placement
    ) -> None:
        agent = start()
        agent.turn()
        agent.change(memory=LARGER)
        totals = iter(range(1, 100))

        def meddle(method: str, path: str) -> Reply | None:
            if method == "PUT":
                placement.set_inventory(agent.uuid, "SRIOV_NET_VF", total=next(totals))
            return None

        proxy.meddle = meddle
        assert "another program changes the same provider" in (agent.turn() or "")
        assert [seen.status for seen in proxy.seen if seen.method == "PUT"][2:] == [409] * 5
        proxy.meddle = None
        assert agent.turn() is None
        assert placement.inventories(agent.uuid)["MEMORY_MB"]["total"] == 12288


class TestAway:
    def test_a_placement_that_is_killed_and_comes_back_is_brought_up_to_date(
        self, programs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        placement = Placement(tmp_path)
        agent = AgentOfHost(placement.url)
        with caplog.at_level("INFO"):
            assert "Connection refused" in (agent.turn() or "")
            placement.start()
            assert agent.turn() is None
            placement.kill()
            assert agent.turn() is None  # nothing to say, nobody noticed
            agent.change(memory=LARGER)
            for _ in range(3):
                assert "Connection refused" in (agent.turn() or "")
            placement.start()
            assert agent.turn() is None
            placement.kill()
        first = f"this host is resource provider {agent.uuid} in Placement at {placement.url}"
        reason = f"Placement at {placement.url}: Connection refused: make it reachable, or correct [placement] url"
        lines = [f"not reported to Placement: {reason}", "Placement has what this host is again"]
        assert [line for line in caplog.messages if "Placement" in line] == [lines[0], first, lines[1], *lines]
        assert len(agent.pauses) == 4
        assert all(0 <= pause <= 60 for pause in agent.pauses)

    def test_another_placement_in_its_place_gets_everything(
        self, placement: Placement, programs: Path, tmp_path: Path
    ) -> None:
        first = Placement(tmp_path)
        first.start()
        agent = AgentOfHost(first.url)
        agent.turn()
        first.kill()
        (tmp_path / "placement.sqlite").unlink()
        second = Placement(tmp_path)
        second.port, second.url = first.port, first.url
        second.start()
        agent.wait_an_hour()
        assert agent.turn() is None
        assert second.inventories(agent.uuid).keys() == {"VCPU", "MEMORY_MB", "DISK_GB"}
        second.kill()

    def test_an_older_one_in_its_place_is_asked_what_it_speaks(self, start: Start, proxy: Proxy) -> None:
        agent = start()
        agent.turn()
        proxy.meddle = lambda method, path: Reply(503, b"")
        agent.change(memory=LARGER)
        assert "503" in (agent.turn() or "")
        body = {"versions": [{"min_version": "1.0", "max_version": "1.30"}]}
        proxy.meddle = lambda method, path: Reply(200, json.dumps(body).encode()) if path == "/" else None
        proxy.taken()
        assert agent.turn() is None
        assert {seen.headers.get("OpenStack-API-Version") for seen in proxy.seen[1:]} == {"placement 1.30"}

    def test_a_report_whose_answer_was_lost_is_not_lost(self, start: Start, proxy: Proxy, placement: Placement) -> None:
        agent = start()
        agent.turn()
        agent.change(memory=LARGER)

        def meddle(method: str, path: str) -> Reply | None:
            if method != "PUT":
                return None
            placement.set_inventory(agent.uuid, "MEMORY_MB", total=12288)
            return Reply(504, b"<html>Gateway Timeout</html>")

        proxy.meddle = meddle
        assert "504 Gateway Timeout" in (agent.turn() or "")
        proxy.meddle = None
        assert agent.turn() is None
        assert placement.inventories(agent.uuid)["MEMORY_MB"]["reserved"] == 512


def client(url: str, time_limit_seconds: float = 20.0) -> PlacementClient:
    return PlacementClient(PlacementSession(PlacementSettings(url=url, auth="none"), time_limit_seconds))


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Give the port of somebody who takes connections and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


INFINITE = b"""{
    "resource_providers": [{"uuid": "", "name": "", "generation": Infinity}],
    "inventories": {},
    "resource_provider_generation": Infinity
}"""


class TestStrangers:
    def test_one_who_says_nothing_is_left_after_the_time_limit(self, silent_port: int) -> None:
        with pytest.raises(PlacementUnreachable, match=r"no answer within 0\.2 s: make it reachable"):
            client(f"http://127.0.0.1:{silent_port}", 0.2).tree("a")

    def test_one_who_hangs_up(self, silent_port: int) -> None:
        listener = socket.create_server(("127.0.0.1", 0))

        def hang_up() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(PlacementUnreachable) as failure:
            client(f"http://127.0.0.1:{listener.getsockname()[1]}").tree("a")
        thread.join()
        listener.close()
        assert "\n" not in str(failure.value)

    @pytest.mark.parametrize(
        ("status", "content", "error", "words"),
        [
            (200, b"<html>It works!</html>", NotPlacement, "something else than JSON: correct [placement] url"),
            (200, b"", NotPlacement, "as no Placement does"),
            (200, b"[]", NotPlacement, "something else than JSON"),
            (200, b'{"versions": []}', NotPlacement, "as no Placement does"),
            (200, b'{"versions": {"values": []}}', NotPlacement, "as no Placement does"),
            (200, b'{"versions": [{"min_version": null, "max_version": "x"}]}', NotPlacement, "as no Placement does"),
            (200, b"\xff\xfe\x00", NotPlacement, "something else than JSON"),
            (503, b"no server is available", PlacementUnreachable, "503 Service Unavailable: its own log says why"),
            (401, b"", PlacementError, "must have the role admin or service"),
            (403, b'{"errors": [{"detail": "no"}]}', PlacementError, "must have the role admin or service"),
            (404, b"", NotPlacement, "as no Placement does"),
            (200, b"[" * 100_000, NotPlacement, "something else than JSON"),
        ],
    )
    def test_whoever_is_no_placement_is_told_in_one_line(
        self, proxy: Proxy, status: int, content: bytes, error: type[PlacementError], words: str
    ) -> None:
        proxy.meddle = lambda method, path: Reply(status, content)
        with pytest.raises(error) as failure:
            client(proxy.url).tree("a")
        assert words in str(failure.value)
        assert "\n" not in str(failure.value)

    @pytest.mark.parametrize("oldest_and_newest", [("1.0", "1.25"), ("1.40", "1.50"), ("2.0", "2.5")])
    def test_a_placement_too_old_or_too_new_is_told(self, proxy: Proxy, oldest_and_newest: tuple[str, str]) -> None:
        least, newest = oldest_and_newest
        body = {"versions": [{"min_version": least, "max_version": newest}]}
        proxy.meddle = lambda method, path: Reply(200, json.dumps(body).encode())
        with pytest.raises(NotPlacement, match=rf"microversions {least} to {newest}, and one from 1\.26"):
            client(proxy.url).tree("a")

    @pytest.mark.parametrize("newest", ["1.26", "1.29", "1.36"])
    def test_an_older_placement_is_spoken_to_as_it_can(
        self, start: Start, proxy: Proxy, placement: Placement, newest: str
    ) -> None:
        body = {"versions": [{"min_version": "1.0", "max_version": newest}]}
        proxy.meddle = lambda method, path: Reply(200, json.dumps(body).encode()) if path == "/" else None
        agent = start(numa_nodes=True)
        assert agent.turn() is None
        agent.change(hostname=f"{agent.name}-b")
        assert agent.turn() is None
        assert {seen.headers.get("OpenStack-API-Version") for seen in proxy.seen[1:]} == {f"placement {newest}"}
        assert f"{agent.name}-b_NUMA1" in placement.tree(agent.uuid)

    def test_a_trait_that_it_has_no_name_for_is_made_and_later_replaced(
        self, start: Start, proxy: Proxy, placement: Placement
    ) -> None:
        def knows_no_avx512(method: str, path: str) -> Reply | None:
            return Reply(200, b'{"traits": ["HW_ARCH_X86_64"]}') if path.startswith("/traits?") else None

        proxy.meddle = knows_no_avx512
        agent = start(facts=machine(flag="avx512f"))
        assert agent.turn() is None
        assert "CUSTOM_HW_CPU_X86_AVX512F" in placement.traits(agent.uuid)
        proxy.meddle = None
        assert start(number=agent.number, facts=machine(flag="avx512f")).turn() is None
        found = placement.traits(agent.uuid)
        assert "HW_CPU_X86_AVX512F" in found
        assert "CUSTOM_HW_CPU_X86_AVX512F" not in found

    @pytest.mark.parametrize("path", ["/resource_providers", "/traits", "/inventories"])
    @pytest.mark.parametrize("content", [b"{}", b'{"resource_providers": [1]}', b"null", b"\x00", INFINITE])
    def test_an_answer_without_sense_is_one_line_and_the_next_turn_goes_well(
        self, start: Start, proxy: Proxy, path: str, content: bytes
    ) -> None:
        agent = start()
        proxy.meddle = lambda method, asked: Reply(200, content) if path in asked else None
        trouble = agent.turn() or ""
        assert proxy.url in trouble
        assert "fault in this program" not in trouble
        assert "\n" not in trouble
        proxy.meddle = None
        assert agent.turn() is None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of a certificate for 127.0.0.1, with its key, that no authority signed."""
    if shutil.which("openssl") is None:
        absent("no openssl to make a certificate with")
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"),
            *("-keyout", str(file.with_suffix(".key")), "-out", str(file)),
        ],
        check=True,
        capture_output=True,
    )
    with file.open("a") as whole:
        whole.write(file.with_suffix(".key").read_text())
    return file


class TestTls:
    def test_a_certificate_of_nobody_is_refused_and_said_how_to_be_taken(
        self, placement: Placement, certificate: Path
    ) -> None:
        with closing(Proxy(placement.port, certificate)) as proxy:
            trouble = AgentOfHost(proxy.url).turn() or ""
        assert trouble == (
            f"Placement at {proxy.url}: its certificate is not accepted: self-signed certificate: "
            "name its authority by [placement] ca_file"
        )

    def test_one_that_ca_file_names_is_taken(self, placement: Placement, certificate: Path) -> None:
        with closing(Proxy(placement.port, certificate)) as proxy:
            assert AgentOfHost(proxy.url, ca_file=str(certificate)).turn() is None

    @pytest.mark.parametrize("text", [None, "", "no certificate\n"])
    def test_a_ca_file_that_is_none_is_told(
        self, placement: Placement, certificate: Path, tmp_path: Path, text: str | None
    ) -> None:
        ca_file = tmp_path / "ca.pem"
        if text is not None:
            ca_file.write_text(text)
        with closing(Proxy(placement.port, certificate)) as proxy:
            trouble = AgentOfHost(proxy.url, ca_file=str(ca_file)).turn() or ""
        assert trouble.startswith(f"Placement at {proxy.url}: ")
        assert "[placement] ca_file" in trouble


@pytest.mark.parametrize("url", ["http://[::1", f"http://{'a' * 300}", "http://127.0.0.1:99999", "http://a..b"])
@pytest.mark.parametrize("auth", ["none", "keystone"])
def test_a_url_that_is_none_is_one_line(url: str, auth: str) -> None:
    settings = PlacementSettings(url=url, auth=auth, auth_url=url, username="u", password="s3cret")
    with pytest.raises(PlacementUnreachable, match=r"correct \[placement\] (auth_)?url$") as failure:
        PlacementClient(PlacementSession(settings)).tree("a")
    assert "\n" not in str(failure.value)


def test_a_url_with_a_password_is_told_without_it() -> None:
    with pytest.raises(PlacementUnreachable) as failure:
        client(f"http://agent:s3cret@127.0.0.1:{free_port()}").tree("a")
    assert "s3cret" not in str(failure.value)


WITHOUT_PLACEMENT = """
import sys
import host_agent.report.placement
from host_agent.report.placement.session import PlacementSession
from host_agent.settings import PlacementSettings
PlacementSession(PlacementSettings())
print(*{name.partition(".")[0] for name in sys.modules})
"""


def test_an_agent_that_reports_to_no_placement_loads_no_keystoneauth() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_PLACEMENT], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()).isdisjoint({"keystoneauth1", "requests", "urllib3"})


WITHOUT_KEYSTONEAUTH = """
import sys
sys.modules["keystoneauth1"] = None
from host_agent.report.placement.session import PlacementSession
from host_agent.settings import PlacementSettings
try:
    PlacementSession(PlacementSettings(url="http://127.0.0.1:1", auth="none")).request("GET", "/")
except Exception as error:
    print(type(error).__name__, error)
"""


def test_without_keystoneauth_it_is_said_how_to_install_it() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_KEYSTONEAUTH], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "PlacementError reports to Placement need the package keystoneauth1: `pip install 'os-capability[placement]'`\n"
    )
