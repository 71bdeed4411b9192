# SPDX-License-Identifier: Apache-2.0
"""mountinfo, as text."""

from __future__ import annotations

import pytest

from os_capability.linux.mountinfo import Mount, escaped, parse_mountinfo


@pytest.mark.parametrize(
    ("line", "mount"),
    [
        pytest.param(
            "36 35 98:0 /inside /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue",
            Mount("/inside", "/mnt", "ext3", "/dev/root", "rw,errors=continue"),
            id="an optional field",
        ),
        pytest.param(
            "36 35 98:0 / /a\\040b\\134040 rw - tmpfs none rw",
            Mount("/", "/a b\\040", "tmpfs", "none", "rw"),
            id="escapes",
        ),
        pytest.param("36 35 98:0 / /mnt rw - tmpfs  rw", Mount("/", "/mnt", "tmpfs", "", "rw"), id="an empty source"),
    ],
)
def test_a_mount_is_read(line: str, mount: Mount) -> None:
    assert list(parse_mountinfo(f"{line}\n")) == [mount]


@pytest.mark.parametrize("line", ["", "no mount", "36 35 98:0 / - ext3 /dev/root rw", "36 35 98:0 / /mnt rw - ext3"])
def test_a_line_that_is_no_mount_is_passed_over(line: str) -> None:
    assert list(parse_mountinfo(f"{line}\n")) == []


def test_what_is_escaped_is_read_back() -> None:
    path = "/a b\tc\nd\\040"
    (mount,) = parse_mountinfo(f"1 1 0:1 {escaped(path)} / rw - tmpfs none rw")
    assert mount.inside == path
