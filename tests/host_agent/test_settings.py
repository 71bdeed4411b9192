# SPDX-License-Identifier: Apache-2.0
"""Settings: who decides, and what a person is told about a setting that is wrong."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
from oslo_config import types

from host_agent.errors import ConfigError
from host_agent.options import OPTIONS
from host_agent.settings import (
    AgentSettings,
    DatabaseSettings,
    EventSettings,
    MetricsSettings,
    Settings,
    embedded_url,
    hide_password,
    load,
    shown,
)
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
    )


def test_every_option_is_a_setting_and_every_setting_an_option() -> None:
    sections = {
        "DEFAULT": Settings,
        "database": DatabaseSettings,
        "agent": AgentSettings,
        "events": EventSettings,
        "metrics": MetricsSettings,
    }
    assert sections.keys() == OPTIONS.keys()
    for section, options in OPTIONS.items():
        names = {option.dest for option in options}
        assert names == {field.name for field in fields(sections[section])} - (sections.keys() - {"DEFAULT"})


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


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[agent]\nrefresh_intervall = 5\n", ["'refresh_intervall'", "[agent]", "did you mean refresh_interval?"]),
        ("[agent]\nzzz = 5\n", ["'zzz'", "there are: root, source"]),
        ("[agnet]\nsource = auto\n", ["[agnet]", "did you mean agent?"]),
        ("[agent]\nrefresh_interval = often\n", ["refresh_interval = 'often'", "a whole number from 1 to 86400"]),
        ("[agent]\nrefresh_interval = 0\n", ["refresh_interval = '0'", "a whole number from 1 to 86400"]),
        ("[agent]\nrefresh_interval =\n", ["refresh_interval = ''", "a whole number"]),
        ("[agent]\nsource = dmi\n", ["source = 'dmi'", "one of auto, lscpu, sysfs"]),
        ("[agent]\nroot = host\n", ["root = 'host'", "an absolute path"]),
        ("[DEFAULT]\nmy_ip = 300.1.1.1\n", ["my_ip = '300.1.1.1'", "an IPv4 or IPv6 address"]),
        ("[DEFAULT]\nhost = two words\n", ["host = 'two words'", "without spaces"]),
        ("[DEFAULT]\ndebug = perhaps\n", ["debug = 'perhaps'"]),
        ("[database]\nurl =\n", ["url = ***", "not empty"]),
        ("[agent]\nfull_interval = 59\n", ["full_interval = 59", "refresh_interval, which is 60"]),
        ("[agent]\ndown_after = 24\n", ["down_after = 24", "2.5 times report_interval, which is 10"]),
        ("[agent]\nreport_interval = 30\n", ["down_after = 60", "2.5 times report_interval, which is 30"]),
        ("[metrics]\nbind = 0.0.0.0:9101\n", ["bind = '0.0.0.0:9101'", "127.0.0.1:PORT"]),
        ("[metrics]\nbind = 127.0.0.1.example:1\n", ["bind", "127.0.0.1:PORT"]),
        ("[metrics]\ntextfile = x.prom\n", ["textfile = 'x.prom'", "an absolute path"]),
        ("refresh_interval = 5\n", ["line 1", "Section must be started"]),
        ("[agent]\nwhat is this\n", ["line 2", "'what is this'"]),
    ],
)
def test_a_wrong_file_is_refused_with_one_line_that_names_the_place(conf: Path, text: str, parts: list[str]) -> None:
    conf.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        load([str(conf)], environ={})

    line = str(refusal.value)
    assert line.startswith(str(conf))
    assert "\n" not in line
    for part in parts:
        assert part in line


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin1").write_bytes(b"[DEFAULT]\nhost = \xe9\n")
    for name, reason in (("none", "No such file"), ("", "Is a directory"), ("latin1", "not UTF-8")):
        with pytest.raises(ConfigError, match=reason) as refusal:
            load([str(tmp_path / name)], environ={})
        assert str(refusal.value).startswith(str(tmp_path / name))


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("OS_CAPABILITY_DATABSE_URL", "OS_CAPABILITY_DATABASE_URL"),
        ("OS_CAPABILITY_AGENT__REFRESH", "OS_CAPABILITY_AGENT__REFRESH_INTERVAL"),
        ("OS_CAPABILITY_REFRESH_INTERVAL", "OS_CAPABILITY_AGENT__REFRESH_INTERVAL"),
    ],
)
def test_a_misspelt_variable_is_refused(variable: str, nearest: str) -> None:
    with pytest.raises(ConfigError, match=rf"{variable}; did you mean {nearest}\?"):
        load(environ=NO_FILE | {variable: "x"})


def test_a_wrong_value_in_the_environment_names_the_variable() -> None:
    with pytest.raises(ConfigError, match=r"^\$OS_CAPABILITY_AGENT__REPORT_INTERVAL: .*'-1'.*from 1 to 3600"):
        load(environ=NO_FILE | {"OS_CAPABILITY_AGENT__REPORT_INTERVAL": "-1"})


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
