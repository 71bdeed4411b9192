# SPDX-License-Identifier: Apache-2.0
"""A real Keystone: it vouches for the users, and its catalog tells the clients where we are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.clients.api import Api, Process, free_port
from tests.clients.command import OpenStack
from tests.clients.conftest import credentials, keystone_options
from tests.clients.identity import PASSWORD

# Beside the Python that runs this.
BIN = Path(sys.executable).parent

_CONFIGURATION = """\
[DEFAULT]
log_file = {folder}/keystone.log
public_endpoint = {root}
[database]
connection = sqlite:///{folder}/keystone.sqlite
[token]
provider = fernet
[fernet_tokens]
key_repository = {folder}/fernet-keys
[credential]
key_repository = {folder}/credential-keys
[identity]
# As few as it takes: hashing is meant to be slow.
password_hash_rounds = 4
[cache]
enabled = false
"""


class Keystone:
    """Keystone on a SQLite file, bootstrapped with the user ``admin``."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/v3"
        configuration = folder / "keystone.conf"
        configuration.write_text(_CONFIGURATION.format(folder=folder, root=f"http://127.0.0.1:{port}"))
        owner = ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]
        urls = [f"--bootstrap-{kind}-url={self.url}" for kind in ("public", "internal", "admin")]
        for arguments in (
            ["db_sync"],
            ["fernet_setup", *owner],
            ["credential_setup", *owner],
            ["bootstrap", f"--bootstrap-password={PASSWORD}", "--bootstrap-region-id=RegionOne", *urls],
        ):
            subprocess.run([BIN / "keystone-manage", "--config-file", configuration, *arguments], check=True)
        # In a file: Keystone takes the server's arguments for its own.
        (folder / "gunicorn.conf.py").write_text(
            f"wsgi_app = 'keystone.wsgi.api:application'\nbind = '127.0.0.1:{port}'\nthreads = 4\n"
        )
        environment = {**os.environ, "OS_KEYSTONE_CONFIG_DIR": str(folder), "HOME": str(folder)}
        self._process = Process([BIN / "gunicorn"], environment, folder, self.url)

    def close(self) -> None:
        self._process.stop()


@pytest.fixture(scope="module")
def keystone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keystone]:
    server = Keystone(tmp_path_factory.mktemp("keystone"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def known_api(keystone: Keystone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    served = Api(tmp_path_factory.mktemp("known-api"), **keystone_options(keystone.url, user="admin"))
    yield served
    served.close()


@pytest.fixture
def login(keystone: Keystone, clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], OpenStack]:
    """Give a function that gives the command as a user types it: all it knows is Keystone's URL and a password."""

    def as_user(name: str) -> OpenStack:
        for variable, value in credentials(keystone.url, name, PASSWORD).items():
            monkeypatch.setenv(variable, value)
        return OpenStack()

    return as_user


def test_who_may_and_who_may_not(
    login: Callable[[str], OpenStack], known_api: Api, keystone: Keystone, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = login("admin")
    admin("service create --name nova compute")
    admin(f"endpoint create --region RegionOne compute public {known_api.nova}")
    admin(f"user create --password {PASSWORD} bob")
    admin("role add --user bob --project admin reader")

    listed = admin("hypervisor list")
    assert [row["Hypervisor Hostname"] for row in listed] == [f"node-{number}" for number in range(1, 6)]
    assert "403" in login("bob").fails("hypervisor list")
    assert [zone["Zone Name"] for zone in OpenStack()("availability zone list --compute")]
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(f"{known_api.nova}/os-hypervisors", headers={"X-Auth-Token": "nobody-knows"}), timeout=30)
    assert refused.value.code == 401
    assert refused.value.headers["WWW-Authenticate"].startswith("Keystone uri=")
    refused.value.close()
