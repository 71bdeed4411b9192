# SPDX-License-Identifier: Apache-2.0
"""Settings that are wrong: one line that names the place, the option, its value and what is allowed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from host_agent.errors import ConfigError
from host_agent.settings import load

# No file of this machine is read, whatever the test.
NO_FILE = {"OS_CAPABILITY_CONFIG_FILE": "/dev/null"}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return tmp_path / "agent.conf"


TWICE = """[DEFAULT]
reserved_huge_pages = node:0,size:2048,count:1
reserved_huge_pages = count:2,node:0,size:2MB
"""


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
        ("[DEFAULT]\nreserved_host_cpus = -1\n", ["reserved_host_cpus = '-1'", "a whole number from 0 to 65536"]),
        ("[DEFAULT]\ncpu_allocation_ratio = 0.0\n", ["cpu_allocation_ratio = '0.0'", "a number above 0"]),
        ("[DEFAULT]\ncpu_allocation_ratio = 1e308\n", ["cpu_allocation_ratio = '1e308'", "up to 1000"]),
        ("[DEFAULT]\nram_allocation_ratio = nan\n", ["ram_allocation_ratio = 'nan'", "a number above 0"]),
        ("[DEFAULT]\ndisk_allocation_ratio =\n", ["disk_allocation_ratio = ''", "a number above 0"]),
        ("[DEFAULT]\nreserved_huge_pages = node:0\n", ["reserved_huge_pages = 'node:0'", "node:N,size:S,count:C"]),
        (TWICE, ["[DEFAULT] reserved_huge_pages", "node 0 and size 2048 are given 2 times"]),
        ("[compute]\ncpu_dedicated_set = 2-1\n", ["cpu_dedicated_set = '2-1'", "such as 0-7,^3", "before it starts"]),
        ("[compute]\ncpu_shared_set =\n", ["cpu_shared_set = ''", "no CPU is left"]),
        ("[compute]\ncpu_shared_set = 0-3,^0-3\n", ["cpu_shared_set = '0-3,^0-3'", "no CPU is left"]),
        (
            "[compute]\ncpu_dedicated_set = 2-5\ncpu_shared_set = 0-3\n",
            ["cpu_dedicated_set = 2-5", "shares CPU 2-3 with cpu_shared_set, which is 0-3"],
        ),
        ("[compute]\nenable_cpu_pinning = perhaps\n", ["enable_cpu_pinning = 'perhaps'", "true or false"]),
        ("[compute]\ncpu_labels = fast\n", ["cpu_labels = 'fast'", "key=value", "'fast' is no key=value"]),
        ("[compute]\ncpu_labels = a=1,a=2\n", ["'a' is given twice"]),
        ("[compute]\ninstances_path = /a,b\n", ["instances_path = '/a,b'", "'b' is no absolute path"]),
        ("[workloads]\nengines = docker,rkt\n", ["engines = 'docker,rkt'", "podman", "'rkt' is no engine"]),
        ("[workloads]\nengines = none,docker\n", ["engines = 'none,docker'", "'none' is no engine"]),
        ("[workloads]\nengines =\n", ["engines = ''", "nothing is listed"]),
        ("[workloads]\ntime_limit = 0\n", ["time_limit = '0'", "a number from 0.1 to 60"]),
        ("[workloads]\ntime_limit = nan\n", ["time_limit = 'nan'", "a number from 0.1 to 60"]),
        ("[DEFAULT]\nhost = a\0b\n", ["[DEFAULT] host has a NUL in it"]),
        (
            "[DEFAULT]\nreserved_host_cpus = 2\n[compute]\ncpu_dedicated_set = 0-3\n",
            ["reserved_host_cpus = 2", "with cpu_dedicated_set alone", "leave the host's own out of that set"],
        ),
        ("[placement]\nurl = ftp://u:s3cret@h\n", ["[placement] url = ***", "http:// or https://"]),
        ("[placement]\nauth = basic\n", ["auth = 'basic'", "one of none, keystone"]),
        ("[placement]\ntoken = s3cret\u20ac\n", ["token = ***", "printable ASCII characters"]),
        ("[placement]\npassword =\n", ["password = ***", "not empty"]),
        ("[placement]\npci_classes = 10de:2204=GPU\n", ["pci_classes", "CUSTOM_CLASS"]),
        ("[placement]\npci_classes = 10de:2204=CUSTOM_A,10DE:2204=CUSTOM_B\n", ["10de:2204 is given twice"]),
        (
            "[placement]\nurl = http://h/placement\nauth_url = http://h/identity\nusername = u\n",
            ["[placement] password is not given", "auth = keystone"],
        ),
        ("[placement]\nauth_url = http://h/identity\n", ["[placement] username is not given", "auth = keystone"]),
        ("[placement]\nurl = http://h/placement\n", ["[placement] auth_url is not given", "auth = keystone"]),
        ("[placement]\nauth = none\nauth_url = http://h\n", ["[placement] url is not given", "auth = none"]),
        ("[api]\nbind = 0.0.0.0:8775\n", ["bind = 0.0.0.0:8775", "auth = none", "set auth to token or keystone"]),
        ("[api]\nbind = [::]:8775\n", ["bind = [::]:8775", "auth = none"]),
        ("[api]\nbind = 127.0.0.1.example:1\n", ["bind", "ADDRESS:PORT"]),
        ("[api]\ntls_key = /k\n", ["[api] tls_certificate is not given", "with tls_key"]),
        ("[api]\ntls_certificate = /c\n", ["[api] tls_key is not given", "with tls_certificate"]),
        ("[api]\nauth = keystone\n", ["[keystone_authtoken] auth_url is not given", "auth = keystone"]),
        ("[api]\npublic_url = localhost\n", ["public_url = 'localhost'", "http:// or https://"]),
        ("[keystone_authtoken]\npassword =\n", ["password = ***", "not empty"]),
        ("[keystone_authtoken]\nmemcached_servers = a\n", ["memcached_servers", "'a' is no HOST:PORT"]),
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
    assert "s3cret" not in line
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


@pytest.mark.parametrize("option", ["DEFAULT__HOST", "DEFAULT__DEBUG", "WORKLOADS__LIBVIRT_URI", "PLACEMENT__TOKEN"])
def test_bytes_in_the_environment_that_are_no_text_are_refused(option: str) -> None:
    variable = f"OS_CAPABILITY_{option}"
    with pytest.raises(ConfigError, match=rf"^\${variable}: \[.*\] .* is not UTF-8 text$"):
        load(environ=NO_FILE | {variable: os.fsdecode(b"secret\xff")})


@pytest.mark.parametrize(
    ("option", "value"), [("DEFAULT__HOST", "node\n"), ("METRICS__BIND", "[::1]:1\n"), ("PLACEMENT__TOKEN", "secret\n")]
)
def test_the_end_of_a_line_is_no_part_of_a_value(option: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"^\$OS_CAPABILITY_{option}: ") as refusal:
        load(environ=NO_FILE | {f"OS_CAPABILITY_{option}": value})
    assert "secret" not in str(refusal.value)
