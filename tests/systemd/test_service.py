# SPDX-License-Identifier: Apache-2.0
"""The service under a real systemd: it starts, and whatever happens to it, it is back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.host_agent.servers import PASSWORD, Server
from tests.systemd.container import until
from tests.systemd.images import build_wheel
from tests.systemd.service import CONFIG_FILE, STATE, UNIT, WELL, Service


def test_it_starts_and_stores_the_row_of_this_machine(service: Service) -> None:
    service.start()
    row = service.row()
    assert row["uuid"] == service.container.run("cat", f"{STATE}/host_uuid").stdout.strip()
    assert service.property("ActiveState") == "active"
    until(lambda: service.property("StatusText") == WELL, "it tells systemd how it fares")
    assert WELL in service.container.run("systemctl", "status", UNIT).stdout


def test_it_stops_in_order(service: Service) -> None:
    service.start()
    service.row()
    service.stop()
    assert (service.property("ActiveState"), service.property("Result")) == ("inactive", "success")


def test_a_killed_process_is_back(service: Service) -> None:
    service.drop_in("[Service]\nRestartSec=100ms\n")
    service.start()
    before = service.row()
    service.kill("KILL")
    until(lambda: service.is_back(restarts=1), "it is back after SIGKILL")
    assert service.row()["uuid"] == before["uuid"]


def test_the_watchdog_ends_a_frozen_process(service: Service) -> None:
    service.drop_in("[Service]\nRestartSec=100ms\nWatchdogSec=3\n")
    service.start()
    service.row()
    service.kill("STOP")
    until(lambda: service.is_back(restarts=1), "the watchdog has seen that it is frozen")
    assert "Watchdog timeout" in service.journal()


def test_it_outlives_its_database(service: Service, any_server: Server) -> None:
    service.configure(f"retry_interval = 1\n[database]\nurl = {any_server.url}\n")
    service.ask("db", "upgrade")
    service.start()
    before, process = service.row(), service.property("MainPID")
    until(lambda: service.property("StatusText") == WELL, "all is well")
    any_server.stop()
    until(lambda: service.property("StatusText") != WELL, "systemctl status shows the trouble")
    assert service.property("ActiveState") == "active"
    any_server.start()
    until(lambda: service.row()["updated_at"] != before["updated_at"], "it reports again")
    until(lambda: service.property("StatusText") == WELL, "the trouble is over")
    assert (service.property("MainPID"), service.property("NRestarts")) == (process, "0")
    assert PASSWORD not in service.journal()


def test_wrong_settings_end_it_once_and_for_all(service: Service) -> None:
    service.configure("full_interval = soon\n")
    service.drop_in("[Service]\nRestartSec=100ms\n")
    assert service.container.run("systemctl", "start", UNIT, check=False).returncode != 0
    until(lambda: service.property("ActiveState") == "failed", "it failed")
    assert (service.property("ExecMainStatus"), service.property("NRestarts")) == ("2", "0")
    assert "full_interval" in service.journal()


def test_a_settings_file_with_a_password_is_for_root_and_the_agent_alone(service: Service) -> None:
    stat = service.container.run("stat", "--format=%a %U:%G", CONFIG_FILE).stdout.strip()
    assert stat == "640 root:os-capability"
    service.start()
    assert service.row()


def test_variables_in_etc_default_are_read_before_it_loses_its_privileges(service: Service) -> None:
    service.container.write("/etc/default/os-capability-agent", "OS_CAPABILITY_DEFAULT__HOST=named-there\n", 0o600)
    service.start()
    assert service.row()["host"] == "named-there"


def test_it_sees_that_its_machine_was_renamed(service: Service) -> None:
    service.configure("full_interval = 1\n")
    service.start()
    before = service.row()
    service.container.run("hostname", "renamed.example")
    until(lambda: service.row()["hypervisor_hostname"] == "renamed.example", "the new name is stored")
    assert service.row()["uuid"] == before["uuid"]
    service.container.run("hostname", before["hypervisor_hostname"])


def test_what_root_began_the_service_goes_on_with(service: Service) -> None:
    """The state directory is root's own until systemd hands it over, and root may use it at any time."""
    service.ask("once")
    (before,) = service.rows()
    service.start()
    until(lambda: service.row()["updated_at"] != before["updated_at"], "the service updates root's row")
    service.ask("once")
    after = service.row()
    until(lambda: service.row()["updated_at"] != after["updated_at"], "and still does")
    assert after["uuid"] == before["uuid"]


def test_without_a_user_of_its_own_it_gets_one_for_the_time_it_runs(service: Service) -> None:
    container = service.container
    container.run("userdel", "os-capability")
    container.run("chmod", "0644", CONFIG_FILE)
    try:
        service.start()
        before = service.row()
        assert int(container.run("stat", "--format=%u", f"{STATE}/").stdout) >= 61184  # systemd's dynamic range
        service.stop()
    finally:
        container.run("systemd-sysusers")
    service.start()
    until(lambda: service.row()["updated_at"] != before["updated_at"], "what was the other user's is handed over")
    assert service.row()["uuid"] == before["uuid"]


def test_the_journal_has_each_line_with_one_time_stamp(service: Service) -> None:
    service.start()
    service.row()
    service.stop()
    lines = service.journal().splitlines()
    assert any("host_agent" in line for line in lines)
    assert not [line for line in lines if re.match(r"\d{4}-\d\d-\d\d|\d\d:\d\d", line)]


@pytest.mark.parametrize("signal", ["HUP", "TERM"])
def test_a_signal_by_hand_does_not_end_the_service(service: Service, signal: str) -> None:
    service.drop_in("[Service]\nRestartSec=100ms\n")
    service.start()
    service.kill(signal)
    until(lambda: service.is_back(restarts=int(signal == "TERM")), f"it runs after SIG{signal}")


def test_another_version_takes_over_at_the_next_start(service: Service, wheel: Path) -> None:
    service.start()
    before = service.row()
    service.install(build_wheel(wheel.parent, "99.0"))
    service.container.run("systemctl", "restart", UNIT)
    until(lambda: service.row()["agent_version"] == "99.0", "the new version stores the row")
    assert service.row()["uuid"] == before["uuid"]
