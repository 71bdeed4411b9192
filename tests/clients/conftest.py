# SPDX-License-Identifier: Apache-2.0
"""The served fleet, and how clients are pointed at it; `make test-clients` runs this in the clients' environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.api import Api
from tests.clients.command import OpenStack
from tests.clients.identity import PASSWORD, Identity


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Give one that asks nobody who he is. What a test changes in its fleet it sets right again."""
    served = Api(tmp_path_factory.mktemp("api"))
    yield served
    served.close()


@pytest.fixture(scope="session")
def identity() -> Iterator[Identity]:
    server = Identity()
    yield server
    server.close()


@pytest.fixture(scope="session")
def guarded_api(identity: Identity, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Give one that has tokens vouched for by `identity`, whose catalog names it."""
    served = Api(tmp_path_factory.mktemp("guarded-api"), **keystone_options(identity.url))
    identity.services |= {"compute": served.nova, "container": served.zun}
    yield served
    served.close()


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away what this machine would tell a client."""
    for name in [name for name in os.environ if name.startswith("OS_") and not name.startswith("OS_CAPABILITY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def no_auth(api: Api, clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the clients of this process at `api`, without a token."""
    monkeypatch.setenv("OS_AUTH_TYPE", "none")
    monkeypatch.setenv("OS_ENDPOINT", api.nova)


@pytest.fixture(params=["2.1", None, "2.104"], ids=["lowest", "default", "newest"])
def openstack(request: pytest.FixtureRequest, no_auth: None) -> OpenStack:
    """Give the command at the lowest version, at what it takes by itself, and at the newest."""
    return OpenStack(request.param)


@pytest.fixture
def login(
    guarded_api: Api, identity: Identity, clean_environment: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], None]:
    """Give a function that makes the clients of this process ask in the name of a user."""

    def as_user(name: str) -> None:
        for variable, value in credentials(identity.url, name, PASSWORD).items():
            monkeypatch.setenv(variable, value)

    return as_user


def credentials(auth_url: str, user: str, password: str) -> dict[str, str]:
    return {
        "OS_AUTH_URL": auth_url,
        "OS_USERNAME": user,
        "OS_PASSWORD": password,
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": "RegionOne",
    }


def keystone_options(auth_url: str, user: str = "service", password: str = PASSWORD) -> dict[str, str]:
    """Give the options of an API whose tokens a Keystone vouches for."""
    section = "KEYSTONE_AUTHTOKEN__"
    return {
        "API__AUTH": "keystone",
        f"{section}AUTH_URL": auth_url,
        f"{section}USERNAME": user,
        f"{section}PASSWORD": password,
        f"{section}PROJECT_NAME": "admin",
        f"{section}USER_DOMAIN_NAME": "Default",
        f"{section}PROJECT_DOMAIN_NAME": "Default",
    }
