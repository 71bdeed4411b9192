# SPDX-License-Identifier: Apache-2.0
"""Tempest, the suite that says what an OpenStack cloud is, run against us as against any cloud."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.api import TOP, Api
from tests.clients.conftest import keystone_options
from tests.clients.identity import PASSWORD, Identity

NOT_OURS = {
    # What projects used is counted by Nova alone: it knows servers, and we know hosts. The third test of it we pass: a
    # project without a name is not there.
    "test_get_usage_tenant_with_invalid_date",
    "test_list_usage_all_tenants_with_non_admin_user",
    # It makes a server.
    "test_aggregate_add_host_create_server_with_az",
}
RUN = 83

_CONFIGURATION = """\
[DEFAULT]
log_dir = {folder}
log_file = tempest.log
[oslo_concurrency]
lock_path = {folder}
[auth]
use_dynamic_credentials = false
test_accounts_file = {folder}/accounts.yaml
create_isolated_networks = false
[identity]
auth_version = v3
uri_v3 = {identity}
region = RegionOne
v3_endpoint_type = public
[service_available]
# Never asked, but the clients of the two are expected to be there.
glance = true
cinder = true
neutron = false
swift = false
nova = true
[compute]
region = RegionOne
endpoint_type = public
image_ref = 00000000-0000-4000-8000-00000000aaaa
flavor_ref = 1
min_microversion = 2.1
max_microversion = latest
[validation]
run_validation = false
"""


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[Api, Identity]]:
    """Give an API with a fleet of its own, which tempest may change."""
    identity = Identity()
    api = Api(tmp_path / "api", **keystone_options(identity.url))
    identity.services["compute"] = api.nova
    yield api, identity
    api.close()
    identity.close()


def test_what_a_nova_passes_is_passed(guarded: tuple[Api, Identity], tmp_path: Path) -> None:
    (tmp_path / "tempest.conf").write_text(_CONFIGURATION.format(folder=tmp_path, identity=guarded[1].url))
    # Each test class takes a project with one user of each role, and three classes are alive at a time.
    accounts = [_account(role, number) for number in (1, 2, 3) for role in ("member", "reader", "admin")]
    (tmp_path / "accounts.yaml").write_text(json.dumps(accounts))

    ran = subprocess.run(
        [sys.executable, "-m", "tests.clients.tempest_suite"],
        cwd=TOP,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TEMPEST_CONFIG_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )

    outcomes = json.loads(ran.stdout)
    unforeseen = {name: text for name, text in outcomes["others"].items() if name not in NOT_OURS}
    assert not unforeseen, "\n\n".join(unforeseen.values())
    assert set(outcomes["others"]) == NOT_OURS
    assert len(outcomes["passed"]) == RUN - len(NOT_OURS)


def _account(role: str, number: int) -> dict[str, object]:
    known: dict[str, object] = {
        "username": f"{role}{number}",
        "password": PASSWORD,
        "project_name": f"project{number}",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
        "roles": [role],
    }
    return {**known, "types": ["admin"]} if role == "admin" else known
