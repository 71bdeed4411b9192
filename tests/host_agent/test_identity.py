# SPDX-License-Identifier: Apache-2.0
"""Identity: made once, read strictly, changed by an operator or a database that knows better, and by nobody else."""

from __future__ import annotations

import ipaddress
import os
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from host_agent.errors import IdentityError
from host_agent.identity import LocalIdentity, adopt, default_route_address, forget, make_state_directory, reset

KNOWN = "6f1c1f0e-2b1d-4d0c-9a53-0f6c3f5f2a11"
OTHER = "0a0b0c0d-2b1d-4d0c-9a53-0f6c3f5f2a11"


def local(path: Path, host: str | None = None, my_ip: str | None = "192.0.2.7") -> LocalIdentity:
    return LocalIdentity(path, host=host, my_ip=my_ip, host_uuid_file=provisioned(path))


def provisioned(path: Path) -> str:
    return str(path.parent / "etc-host_uuid")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    make_state_directory(path)
    return path


def test_the_first_start_makes_a_uuid_and_later_ones_keep_it(state: Path) -> None:
    first = local(state)

    assert uuid.UUID(first.uuid).version == 4
    assert (state / "host_uuid").read_text() == f"{first.uuid}\n"
    assert local(state).uuid == first.uuid
    assert [path.name for path in state.iterdir()] == ["host_uuid"]


def test_a_uuid_that_somebody_put_there_is_taken(state: Path) -> None:
    (state / "host_uuid").write_text(f"{KNOWN.upper()}\n")
    assert local(state).uuid == KNOWN


def test_a_provisioned_uuid_comes_before_that_in_the_state_directory(state: Path) -> None:
    (state / "host_uuid").write_text(f"{OTHER}\n")
    Path(provisioned(state)).write_text(f"{KNOWN}\n")

    identity = local(state)

    assert (identity.uuid, identity.is_new) == (KNOWN, False)


@pytest.mark.parametrize(
    "text", ["", "\n", "vm\n", KNOWN[:-1], f"{{{KNOWN}}}", KNOWN.replace("-", ""), f"{KNOWN}\n{KNOWN}"]
)
@pytest.mark.parametrize("place", [lambda state: state / "host_uuid", lambda state: Path(provisioned(state))])
def test_anything_else_in_the_file_is_refused_and_left_there(
    state: Path, text: str, place: Callable[[Path], Path]
) -> None:
    file = place(state)
    file.write_text(text)

    with pytest.raises(IdentityError) as refusal:
        local(state)

    assert str(refusal.value).startswith(f"{file}: ")
    assert "\n" not in str(refusal.value)
    assert file.read_text() == text


def test_a_file_that_is_no_text_is_refused(state: Path) -> None:
    (state / "host_uuid").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(IdentityError, match="not text"):
        local(state)


def test_racing_starts_agree(state: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: local(state).uuid, range(64)))

    assert found == {(state / "host_uuid").read_text().strip()}


def test_it_is_new_until_a_database_took_it(state: Path) -> None:
    identity = local(state)
    assert (identity.is_new, local(state).is_new, identity.current()) == (True, True, None)

    confirmed = identity.confirm(identity.uuid, identity.wanted_name("before"))

    assert (confirmed.uuid, confirmed.host, confirmed.host_ip) == (identity.uuid, "before", "192.0.2.7")
    assert (identity.is_new, local(state).is_new, local(state).current()) == (False, False, confirmed)


def test_a_uuid_that_alone_was_lost_makes_it_new_under_its_old_name(state: Path) -> None:
    identity = local(state)
    identity.confirm(identity.uuid, "before")
    (state / "host_uuid").unlink()

    after = local(state)
    assert (after.is_new, after.wanted_name("after")) == (True, "before")
    assert after.confirm(KNOWN, "as-of-old").host == "as-of-old"
    assert (local(state).uuid, local(state).wanted_name("after"), local(state).is_new) == (KNOWN, "as-of-old", False)


def test_a_name_of_two_lines_is_refused(state: Path) -> None:
    (state / "host_name").write_text("a b\nc\n")
    with pytest.raises(IdentityError, match="more than one line"):
        local(state)


def test_the_name_is_that_of_the_first_registration(state: Path) -> None:
    identity = local(state)
    identity.confirm(identity.uuid, identity.wanted_name("before"))

    assert identity.wanted_name("after") == "before"
    assert local(state).wanted_name("after") == "before"


def test_the_option_host_comes_before_the_name_on_disk_and_does_not_replace_it(state: Path) -> None:
    identity = local(state)
    identity.confirm(identity.uuid, "registered")

    option = local(state, host="option")
    assert option.confirm(option.uuid, option.wanted_name("machine")).host == "option"
    assert local(state).wanted_name("machine") == "registered"


def test_a_machine_without_a_name_needs_the_option(state: Path) -> None:
    with pytest.raises(IdentityError, match="set the option host"):
        local(state).wanted_name(None)


def test_the_uuid_that_the_database_knows_this_machine_by_replaces_the_new_one(state: Path) -> None:
    identity = local(state)

    adopted = identity.confirm(KNOWN, "as-of-old")

    assert (adopted.uuid, adopted.host) == (KNOWN, "as-of-old")
    assert (local(state).uuid, local(state).wanted_name("machine"), local(state).is_new) == (KNOWN, "as-of-old", False)


def test_a_reset_gives_a_uuid_of_its_own_and_forgets_what_was_kept_for_the_old_one(state: Path) -> None:
    before = local(state)
    before.confirm(before.uuid, "original")
    for name in ("facts.json", "events.jsonl"):
        (state / name).write_text("{}\n")

    made = reset(state, provisioned(state))

    after = local(state)
    assert after.uuid == made != before.uuid
    assert after.given == ("identity-reset", before.uuid)
    assert not after.is_new, "or it would look for the row of the machine that it was cloned from"
    assert after.current() is None
    assert sorted(path.name for path in state.iterdir()) == ["host_uuid", "host_uuid_given"]

    after.confirm(made, "clone")
    assert [one.given for one in (after, local(state))] == [None, None]


def test_an_operator_says_which_host_it_is(state: Path) -> None:
    local(state)
    adopt(state, provisioned(state), KNOWN.upper())

    after = local(state)
    assert (after.uuid, after.is_new) == (KNOWN, False)
    assert after.given is not None
    assert after.given[0] == "identity-adopted"


def test_a_torn_uuid_can_be_reset(state: Path) -> None:
    (state / "host_uuid").write_text("")
    made = reset(state, provisioned(state))
    assert (local(state).uuid, local(state).given) == (made, ("identity-reset", "none"))


def test_a_note_of_an_operators_doing_that_is_none_is_refused(state: Path) -> None:
    (state / "host_uuid_given").write_text("something\n")
    with pytest.raises(IdentityError, match="remove it"):
        local(state)


def test_no_uuid_is_no_host(state: Path) -> None:
    with pytest.raises(IdentityError, match=r"^not a uuid: 'node-1'"):
        adopt(state, provisioned(state), "node-1")
    assert list(state.iterdir()) == []


def test_a_provisioned_uuid_is_changed_where_it_is_provisioned(state: Path) -> None:
    Path(provisioned(state)).write_text(f"{KNOWN}\n")
    for change in (lambda: reset(state, provisioned(state)), lambda: adopt(state, provisioned(state), OTHER)):
        with pytest.raises(IdentityError, match="provisioned"):
            change()
    assert list(state.iterdir()) == []


def test_an_image_carries_nothing_of_the_machine_it_was_made_from(state: Path) -> None:
    identity = local(state)
    identity.confirm(identity.uuid, "template")
    for name in ("facts.json", "events.jsonl", "status.json", "os-capability.sqlite", "os-capability.sqlite-wal"):
        (state / name).touch()
    (state / "notes").touch()

    removed = forget(state)

    assert [path.name for path in state.iterdir()] == ["notes"]
    assert len(removed) == 7
    assert forget(state) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_writes_belongs_to_the_owner_of_the_directory(state: Path) -> None:
    os.chown(state, 4321, 4322)
    identity = local(state)
    identity.confirm(identity.uuid, "name")
    reset(state, provisioned(state))
    local(state).confirm(OTHER, "name")

    owners = {(path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) for path in state.iterdir()}
    assert owners == {(4321, 4322, 0o640)}


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
