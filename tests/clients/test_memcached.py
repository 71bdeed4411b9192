# SPDX-License-Identifier: Apache-2.0
"""What an identity server says of a token is remembered in a memcached, if there is one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.beds import absent
from tests.clients.api import Api, free_port
from tests.clients.conftest import keystone_options
from tests.clients.identity import Identity

TOKEN = "admin:admin"


@pytest.fixture
def memcached() -> Iterator[str]:
    """Give the address of one."""
    if shutil.which("memcached") is None:
        absent("no memcached here: install the package memcached")
    address = f"127.0.0.1:{free_port()}"
    _, _, port = address.partition(":")
    process = subprocess.Popen(["memcached", "-l", "127.0.0.1", "-p", port, "-u", "nobody"])
    yield address
    process.terminate()
    process.wait(20)


def asked(api: Api, token: str) -> int:
    try:
        with urlopen(Request(f"{api.nova}/os-hypervisors", headers={"X-Auth-Token": token}), timeout=30) as answer:
            return int(answer.status)
    except HTTPError as refused:
        with refused:
            return refused.code


def test_what_one_server_was_told_another_one_knows(memcached: str, tmp_path: Path) -> None:
    identity = Identity()
    options = {**keystone_options(identity.url), "KEYSTONE_AUTHTOKEN__MEMCACHED_SERVERS": memcached}
    first, second = (Api(tmp_path / name, **options) for name in ("first", "second"))

    assert asked(first, TOKEN) == 200
    identity.close()

    assert asked(second, TOKEN) == 200
    assert asked(second, "bob:admin") == 503
    for api in (first, second):
        api.close()
