# SPDX-License-Identifier: Apache-2.0
"""Every command of docs/clients.md, and those of the README that ask the API, as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.api import PROGRAMS, TOP, Api
from tests.clients.command import run

PAGE = (TOP / "docs" / "clients.md").read_text()
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
PLACE = "http://127.0.0.1:8775"


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(text: str) -> list[str]:
    """Give the commands of a text that ask; the one that starts the server has been given."""
    lines = [line for block in blocks(text, "console") for line in block.splitlines() if line.startswith("$ ")]
    told = [line.removeprefix("$ ").partition("  #")[0] for line in lines]
    return [line for line in told if not re.search(r"host-agent api\b", line)]


@pytest.fixture
def in_one_shell(clean_environment: None) -> Callable[[Api, list[str]], None]:
    """Give a function that types commands into one shell; the first that fails ends it."""

    def type_all(api: Api, typed: list[str]) -> None:
        assert typed
        script = "\n".join(["set -eux", *typed]).replace(PLACE, api.root).replace(".venv/bin/", "")
        path = f"{Path(sys.executable).parent}:{PROGRAMS}:{os.environ['PATH']}"
        environment = {**os.environ, **api.environment, "PATH": path, "HOME": os.environ["HOME"]}
        done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    return type_all


def test_without_authentication(
    api: Api, clean_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    section = SECTIONS["Without authentication"].replace(PLACE, api.root)
    (clouds,) = blocks(section, "yaml")
    (tmp_path / "clouds.yaml").write_text(clouds)
    # The folder to look in was noted when this process began.
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    for line in commands(section):
        words = shlex.split(line)
        if words[0] == "export":
            for word in words[1:]:
                monkeypatch.setenv(*word.split("=", 1))
        elif words[0] == "openstack":
            # A process for each would take half a second more.
            code, printed, told = run(words[1:])
            assert code == 0, f"{line}: {printed}{told}"
        else:
            subprocess.run(words, check=True, timeout=60)


@pytest.mark.parametrize("code", blocks(PAGE, "py"))
def test_from_python(code: str, api: Api, clean_environment: None, tmp_path: Path) -> None:
    (clouds,) = blocks(PAGE, "yaml")
    (tmp_path / "clouds.yaml").write_text(clouds.replace(PLACE, api.root))
    done = subprocess.run([sys.executable, "-c", code.replace(PLACE, api.root)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "node-1" in done.stdout


@pytest.fixture
def api_with_tokens(tmp_path: Path) -> Iterator[Api]:
    served = Api(tmp_path / "api", API__AUTH="token")
    yield served
    served.close()


def test_with_a_token(in_one_shell: Callable[[Api, list[str]], None], api_with_tokens: Api) -> None:
    in_one_shell(api_with_tokens, commands(SECTIONS["With a token"]))


def test_with_keystone(
    in_one_shell: Callable[[Api, list[str]], None], login: Callable[[str], None], guarded_api: Api
) -> None:
    login("admin1")
    in_one_shell(guarded_api, commands(SECTIONS["With Keystone"]))


def test_the_readme(in_one_shell: Callable[[Api, list[str]], None], api: Api) -> None:
    asking = [line for line in commands((TOP / "README.md").read_text()) if line.startswith(("openstack ", "curl "))]
    in_one_shell(api, asking)
