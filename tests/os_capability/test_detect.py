# SPDX-License-Identifier: Apache-2.0
"""Which driver a system gets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from os_capability import MissingPackage, SourceUnreadable, load_driver
from os_capability.detect import native_driver

TOP = Path(__file__).resolve().parents[2]
PLAIN = TOP / "tests" / "hosts" / "x86_64-plain" / "root"


@pytest.mark.parametrize(
    ("platform", "driver"),
    [
        ("darwin", "DarwinDriver"),
        ("freebsd14", "FreebsdDriver"),
        ("win32", "WindowsDriver"),
        ("openbsd7", "GenericDriver"),
        ("sunos5", "GenericDriver"),
        ("cygwin", "GenericDriver"),
    ],
)
def test_a_system_gets_its_driver_and_any_other_the_generic_one(platform: str, driver: str) -> None:
    assert type(native_driver(platform)).__name__ == driver


@pytest.mark.parametrize("source", ["lscpu", "sysfs"])
@pytest.mark.parametrize("platform", ["darwin", "openbsd7"])
def test_a_source_that_only_linux_has_is_refused_elsewhere(platform: str, source: str) -> None:
    with pytest.raises(SourceUnreadable, match=f"{source}: .*{platform}"):
        native_driver(platform, source)


def test_linux_and_every_foreign_root_get_the_linux_driver() -> None:
    assert {type(load_driver()).__name__, type(load_driver(str(PLAIN))).__name__} == {"LinuxDriver"}


def test_without_psutil_the_error_names_the_extra() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import os_capability\n"
        "from os_capability.detect import native_driver\n"
        "try:\n    native_driver('openbsd7').collect()\n"
        "except os_capability.MissingPackage as error:\n    print(error)\n"
    )
    argv = [sys.executable, "-I", "-S", "-B", "-c", code, str(TOP)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert "pip install 'os-capability[psutil]'" in done.stdout
    assert done.stdout.count("\n") == 1


def test_the_error_keeps_what_it_names() -> None:
    error = MissingPackage("psutil", "psutil")
    assert (error.package, error.extra) == ("psutil", "psutil")
