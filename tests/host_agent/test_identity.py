# SPDX-License-Identifier: Apache-2.0
"""Identity: made once, read strictly, never replaced."""

from __future__ import annotations

import ipaddress
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from host_agent.errors import IdentityError
from host_agent.identity import LocalIdentity, default_route_address, make_state_directory

KNOWN = "6f1c1f0e-2b1d-4d0c-9a53-0f6c3f5f2a11"


def local(path: Path, host: str | None = None, my_ip: str | None = "192.0.2.7") -> LocalIdentity:
    return LocalIdentity(path, host=host, my_ip=my_ip)


def test_the_first_start_makes_a_uuid_and_later_ones_keep_it(tmp_path: Path) -> None:
    first = local(tmp_path)

    assert uuid.UUID(first.uuid).version == 4
    assert (tmp_path / "host_uuid").read_text() == f"{first.uuid}\n"
    assert local(tmp_path).uuid == first.uuid
    assert [path.name for path in tmp_path.iterdir()] == ["host_uuid"]


def test_a_uuid_that_somebody_put_there_is_taken(tmp_path: Path) -> None:
    (tmp_path / "host_uuid").write_text(f"{KNOWN.upper()}\n")
    assert local(tmp_path).uuid == KNOWN


@pytest.mark.parametrize(
    "text", ["", "\n", "vm\n", KNOWN[:-1], f"{{{KNOWN}}}", KNOWN.replace("-", ""), f"{KNOWN}\n{KNOWN}"]
)
def test_anything_else_in_the_file_is_refused_and_left_there(tmp_path: Path, text: str) -> None:
    (tmp_path / "host_uuid").write_text(text)

    with pytest.raises(IdentityError) as refusal:
        local(tmp_path)

    assert str(refusal.value).startswith(f"{tmp_path}/host_uuid: ")
    assert "\n" not in str(refusal.value)
    assert (tmp_path / "host_uuid").read_text() == text


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "host_uuid").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(IdentityError, match="not text"):
        local(tmp_path)


def test_racing_starts_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: local(tmp_path).uuid, range(64)))

    assert found == {(tmp_path / "host_uuid").read_text().strip()}


def test_the_name_is_that_of_the_first_registration(tmp_path: Path) -> None:
    identity = local(tmp_path)
    assert identity.current() is None

    assert identity.register("before").host == "before"
    assert identity.register("after").host == "before"

    again = local(tmp_path)
    known = again.current()
    assert known is not None
    assert (known.uuid, known.host, known.host_ip) == (identity.uuid, "before", "192.0.2.7")


def test_the_option_host_comes_before_the_name_on_disk_and_does_not_replace_it(tmp_path: Path) -> None:
    local(tmp_path).register("registered")
    assert local(tmp_path, host="option").register("machine").host == "option"
    assert local(tmp_path).register("machine").host == "registered"


def test_a_machine_without_a_name_needs_the_option(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match="set the option host"):
        local(tmp_path).register(None)


def test_the_address_is_one_of_this_machine() -> None:
    ipaddress.ip_address(default_route_address())


def test_the_state_directory_is_for_its_owner_and_group(tmp_path: Path) -> None:
    make_state_directory(tmp_path / "a" / "b")
    make_state_directory(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o7777 == 0o750


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(IdentityError, match=f"^{tmp_path}/file/state: cannot create .*set state_path$"):
        make_state_directory(tmp_path / "file" / "state")
