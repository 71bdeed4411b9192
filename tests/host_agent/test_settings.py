# SPDX-License-Identifier: Apache-2.0
"""Settings: who decides, and what is shown of them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
from oslo_config import types

from host_agent.options import OPTIONS
from host_agent.reserved_pages import ReservedPages
from host_agent.settings import (
    AgentSettings,
    ApiSettings,
    CapacitySettings,
    DatabaseSettings,
    EventSettings,
    KeystoneSettings,
    MetricsSettings,
    PlacementSettings,
    Settings,
    WorkloadSettings,
    embedded_url,
    hide_password,
    load,
    shown,
)
from os_capability import CpuSet
from os_capability.detect import SOURCES

# No file of this machine is read, whatever the test.
NO_FILE = {"OS_CAPABILITY_CONFIG_FILE": "/dev/null"}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return tmp_path / "agent.conf"


def test_without_any_setting_the_defaults_stand() -> None:
    settings = load(environ=NO_FILE | {"STATE_DIRECTORY": "/var/lib/x"}).settings

    assert settings == Settings(
        host=None,
        my_ip=None,
        host_uuid_file="/etc/os-capability/host_uuid",
        state_path=Path("/var/lib/x"),
        database=DatabaseSettings(url="sqlite:////var/lib/x/os-capability.sqlite"),
        agent=AgentSettings(
            root="/",
            source="auto",
            refresh_interval=60,
            full_interval=3600,
            report_interval=10,
            down_after=60,
            retry_interval=60,
            stall_after=60,
            binary="nova-compute",
            topic="compute",
        ),
        events=EventSettings(fold_interval=600, max_age_days=90, max_per_host=1000, spool_size=1000),
        metrics=MetricsSettings(bind=None, textfile=None),
        capacity=CapacitySettings(),
        workloads=WorkloadSettings(
            engines=("docker", "podman", "libvirt", "cgroups"),
            docker_socket="/run/docker.sock",
            podman_socket="/run/podman/podman.sock",
            libvirt_uri="qemu:///system",
            time_limit=2.0,
        ),
        placement=PlacementSettings(),
        api=ApiSettings(),
        keystone_authtoken=KeystoneSettings(),
    )


def test_every_option_is_a_setting_and_every_setting_an_option() -> None:
    sections = {
        "database": DatabaseSettings,
        "agent": AgentSettings,
        "events": EventSettings,
        "metrics": MetricsSettings,
        "workloads": WorkloadSettings,
        "placement": PlacementSettings,
        "api": ApiSettings,
        "keystone_authtoken": KeystoneSettings,
    }
    assert OPTIONS.keys() == {*sections, "DEFAULT", "compute"}
    options = {section: {option.dest for option in OPTIONS[section]} for section in OPTIONS}
    for section, settings in sections.items():
        assert options[section] == {field.name for field in fields(settings)}
    offered = {field.name for field in fields(CapacitySettings)}
    own = {field.name for field in fields(Settings)} - sections.keys() - {"capacity"}
    assert options["DEFAULT"] | options["compute"] == own | offered
    assert options["DEFAULT"].isdisjoint(options["compute"])
    assert own <= options["DEFAULT"]


def test_the_sources_are_the_librarys() -> None:
    (source,) = (option for option in OPTIONS["agent"] if option.dest == "source")
    assert isinstance(source.type, types.String)
    assert tuple(source.type.choices or ()) == SOURCES


def test_settings_cannot_be_changed_and_do_not_show_the_url() -> None:
    settings = load(database_url="postgresql+psycopg://u:s3cret@h/x", environ=NO_FILE).settings
    with pytest.raises(FrozenInstanceError):
        settings.agent.source = "lscpu"  # type: ignore[misc]
    assert "s3cret" not in repr(settings)


def test_the_command_line_comes_before_the_environment_before_the_file(conf: Path) -> None:
    conf.write_text("[database]\nurl = sqlite:///file\n[agent]\nrefresh_interval = 5\ntopic = file\n")
    files, environ = [str(conf)], {"OS_CAPABILITY_AGENT__REFRESH_INTERVAL": "6"}

    assert load(files, environ=environ).settings.database.url == "sqlite:///file"
    environ["OS_CAPABILITY_DATABASE_URL"] = "sqlite:///environment"
    assert load(files, environ=environ).settings.database.url == "sqlite:///environment"
    configuration = load(files, "sqlite:///command-line", environ)

    assert configuration.settings.database.url == "sqlite:///command-line"
    assert configuration.settings.agent.refresh_interval == 6
    assert configuration.settings.agent.topic == "file"
    assert configuration.origins == {
        ("database", "url"): "--database-url",
        ("agent", "refresh_interval"): "$OS_CAPABILITY_AGENT__REFRESH_INTERVAL",
        ("agent", "topic"): str(conf),
    }


def test_the_later_file_wins_and_dashes_are_underscores(conf: Path, tmp_path: Path) -> None:
    conf.write_text("[agent]\nreport_interval = 5\nfull-interval = 99\n")
    later = tmp_path / "later.conf"
    later.write_text("[agent]\nreport_interval = 7\n")

    agent = load([str(conf), str(later)], environ={}).settings.agent

    assert (agent.report_interval, agent.full_interval) == (7, 99)


def test_the_default_file_can_be_named_by_the_environment(conf: Path) -> None:
    conf.write_text("[DEFAULT]\nhost = node-1\n")
    assert load(environ={"OS_CAPABILITY_CONFIG_FILE": str(conf)}).settings.host == "node-1"


def test_a_dollar_sign_is_a_dollar_sign(conf: Path) -> None:
    conf.write_text("[database]\nurl = postgresql+psycopg://u:$host@h/x\n")
    assert load([str(conf)], environ={}).settings.database.url == "postgresql+psycopg://u:$host@h/x"


def test_oslo_logs_options_stand_in_the_same_places(conf: Path) -> None:
    conf.write_text("[DEFAULT]\ndebug = true\n")
    configuration = load([str(conf)], environ={"OS_CAPABILITY_DEFAULT__LOG_FILE": "/tmp/x.log"})

    assert configuration.logging.debug is True
    assert configuration.logging.log_file == "/tmp/x.log"
    assert ("[DEFAULT] debug", "True", str(conf)) in list(shown(configuration))


CAPACITY_FILE = """
[DEFAULT]
reserved_host_cpus = 2
reserved_host_memory_mb = 2048
reserved_huge_pages = node:0,size:2048,count:64
reserved_huge_pages = node:1,size:1GB,count:1
cpu_allocation_ratio = 16
[compute]
cpu_dedicated_set = 4-15,^8
cpu_shared_set = 0-3
enable_cpu_pinning = yes
cpu_labels = generation=3, rack = 7
instances_path = /var/lib/nova/instances,/srv/containers
[workloads]
engines = docker, cgroups
time_limit = 0.5
[placement]
url = https://placement.example
auth = none
token = t0k3n
pci_classes = 10DE:2204 = CUSTOM_GPU
"""
CAPACITY_ENVIRONMENT = {
    "OS_CAPABILITY_DEFAULT__RESERVED_HOST_CPUS": "2",
    "OS_CAPABILITY_DEFAULT__RESERVED_HOST_MEMORY_MB": "2048",
    "OS_CAPABILITY_DEFAULT__RESERVED_HUGE_PAGES": "node:0,size:2048,count:64; node:1,size:1GB,count:1",
    "OS_CAPABILITY_DEFAULT__CPU_ALLOCATION_RATIO": "16",
    "OS_CAPABILITY_COMPUTE__CPU_DEDICATED_SET": "4-15,^8",
    "OS_CAPABILITY_COMPUTE__CPU_SHARED_SET": "0-3",
    "OS_CAPABILITY_COMPUTE__ENABLE_CPU_PINNING": "yes",
    "OS_CAPABILITY_COMPUTE__CPU_LABELS": "generation=3, rack = 7",
    "OS_CAPABILITY_COMPUTE__INSTANCES_PATH": "/var/lib/nova/instances,/srv/containers",
    "OS_CAPABILITY_WORKLOADS__ENGINES": "docker, cgroups",
    "OS_CAPABILITY_WORKLOADS__TIME_LIMIT": "0.5",
    "OS_CAPABILITY_PLACEMENT__URL": "https://placement.example",
    "OS_CAPABILITY_PLACEMENT__AUTH": "none",
    "OS_CAPABILITY_PLACEMENT__TOKEN": "t0k3n",
    "OS_CAPABILITY_PLACEMENT__PCI_CLASSES": "10DE:2204 = CUSTOM_GPU",
}


def test_the_file_and_the_environment_say_the_same_in_the_same_words(conf: Path) -> None:
    conf.write_text(CAPACITY_FILE)
    written = load([str(conf)], environ={}).settings

    assert load(environ=NO_FILE | CAPACITY_ENVIRONMENT).settings == written
    assert written.capacity == CapacitySettings(
        reserved_host_cpus=2,
        reserved_host_memory_mb=2048,
        reserved_huge_pages=(
            ReservedPages(node=0, size_bytes=2 * 1024**2, count=64),
            ReservedPages(node=1, size_bytes=1024**3, count=1),
        ),
        cpu_allocation_ratio=16.0,
        cpu_dedicated_set=CpuSet.parse_list("4-7,9-15"),
        cpu_shared_set=CpuSet.parse_list("0-3"),
        enable_cpu_pinning=True,
        cpu_labels={"generation": "3", "rack": "7"},
        instances_path=("/var/lib/nova/instances", "/srv/containers"),
    )
    assert (written.workloads.engines, written.workloads.time_limit) == (("docker", "cgroups"), 0.5)
    assert written.placement.pci_classes == {"10de:2204": "CUSTOM_GPU"}
    assert "t0k3n" not in repr(written)


def test_what_is_shown_can_be_given_again_and_hides_the_secrets(conf: Path) -> None:
    conf.write_text(CAPACITY_FILE + "password = p4ssw0rd\nauth_url = https://u:p4ssw0rd@keystone.example/v3\n")
    configuration = load([str(conf)], environ={})
    lines = {name: text for name, text, origin in shown(configuration) if origin == str(conf)}

    assert lines["[DEFAULT] reserved_huge_pages"] == "node:0,size:2048,count:64;node:1,size:1048576,count:1"
    assert lines["[compute] cpu_dedicated_set"] == "4-7,9-15"
    assert lines["[placement] token"] == lines["[placement] password"] == "***"
    assert lines["[placement] auth_url"] == "https://u:***@keystone.example/v3"
    assert "p4ssw0rd" not in str(lines)

    secrets = {"[placement] token": "t0k3n", "[placement] password": "p4ssw0rd"}
    secrets["[placement] auth_url"] = "https://u:p4ssw0rd@keystone.example/v3"
    environ = {}
    for name, text in (lines | secrets).items():
        section, option = name[1:].split("] ")
        environ[f"OS_CAPABILITY_{section}__{option}".upper()] = text
    assert load(environ=NO_FILE | environ).settings == configuration.settings


def test_a_later_source_replaces_all_of_a_repeated_option(conf: Path) -> None:
    conf.write_text(CAPACITY_FILE)
    environ = {"OS_CAPABILITY_DEFAULT__RESERVED_HUGE_PAGES": "node:3,size:2048,count:1"}
    pages = load([str(conf)], environ=environ).settings.capacity.reserved_huge_pages
    assert pages == (ReservedPages(node=3, size_bytes=2 * 1024**2, count=1),)


def test_with_keystone_the_catalog_says_where_placement_is(conf: Path) -> None:
    conf.write_text("[placement]\nauth_url = http://h/identity\nusername = nova\npassword = x\n")
    placement = load([str(conf)], environ={}).settings.placement
    assert placement == PlacementSettings(auth_url="http://h/identity", username="nova", password="x")


def test_none_is_no_engine(conf: Path) -> None:
    conf.write_text("[workloads]\nengines = none\n")
    configuration = load([str(conf)], environ={})
    assert configuration.settings.workloads.engines == ()
    assert ("[workloads] engines", "none", str(conf)) in list(shown(configuration))


def test_variables_of_others_and_of_the_tests_are_left_alone() -> None:
    load(environ=NO_FILE | {"OS_HOST": "x", "OS_CAPABILITY_TEST_MYSQL_URL": "x"})


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"STATE_DIRECTORY": "/run/a:/run/b", "XDG_STATE_HOME": "/xdg"}, ["/run/a"]),
        ({"XDG_STATE_HOME": "/xdg", "HOME": "/home/me"}, ["/var/lib/os-capability", "/xdg/os-capability"]),
        ({"HOME": "/home/me"}, ["/var/lib/os-capability", "/home/me/.local/state/os-capability"]),
    ],
)
def test_the_state_directory_is_systemds_or_the_users(environ: dict[str, str], expected: list[str]) -> None:
    # Which of the two depends on whether root runs the tests.
    assert str(load(environ=NO_FILE | environ).settings.state_path) in expected


@pytest.mark.parametrize(
    ("url", "visible"),
    [
        ("sqlite:////var/lib/x.sqlite", "sqlite:////var/lib/x.sqlite"),
        ("mysql+pymysql://u:p@h/x", "mysql+pymysql://u:***@h/x"),
        ("mysql+pymysql://u:p@p:p/p@h:3306/x?ssl=1", "mysql+pymysql://u:***@h:3306/x"),
        ("postgresql+psycopg://h/x?user=u&password=p", "postgresql+psycopg://h/x"),
        ("postgresql+psycopg://u@h/x", "postgresql+psycopg://u@h/x"),
        ("postgresql+psycopg://u:p@h1:5432,h2:5433/x", "postgresql+psycopg://u:***@h1:5432,h2:5433/x"),
        ("postgresql+psycopg://u:p@/x?host=h1:1&host=h2:2", "postgresql+psycopg://u:***@/x"),
        ("postgresql+psycopg://u:p?p@h/x", "postgresql+psycopg://***"),
        ("postgresql+psycopg://h:5432/x?password=p@p", "postgresql+psycopg://***"),
        ("u:p@h/x", "***"),
        ("", "***"),
    ],
)
def test_a_shown_url_has_no_password(url: str, visible: str) -> None:
    assert hide_password(url) == visible


def test_the_embedded_url_is_absolute() -> None:
    assert embedded_url(Path("/a/b")) == "sqlite:////a/b/os-capability.sqlite"
