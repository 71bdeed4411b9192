# SPDX-License-Identifier: Apache-2.0
"""Thousands of requests made of the description: none is the server's error to answer, and every answer is described.

make test-api API_SEED=7        # the seed that a failure was printed with
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from host_agent.store import open_engine
from tests.beds import absent
from tests.host_agent.api.samples import fleet
from tests.host_agent.servers import free_port, wait_until

TOP = Path(__file__).resolve().parents[2]
PROGRAMS = Path(os.environ.get("OS_CAPABILITY_TEST_SCHEMATHESIS_BIN") or TOP / ".venv-schemathesis/bin").absolute()
HOST_AGENT = TOP / ".venv/bin/host-agent"

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
LEAST_CASES = 2000
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """Give the URL of the API over a small fleet."""
    database = f"sqlite:///{tmp_path}/fleet.sqlite"
    engine = open_engine(database)
    fleet(engine)
    engine.dispose()
    place = f"127.0.0.1:{free_port()}"
    environment = {
        "PATH": os.environ["PATH"],
        "STATE_DIRECTORY": str(tmp_path),
        "OS_CAPABILITY_CONFIG_FILE": "/dev/null",
        "OS_CAPABILITY_DATABASE_URL": database,
        "OS_CAPABILITY_API__WORKERS": "1",
        "OS_CAPABILITY_API__MAX_WRITES_PER_MINUTE": "0",
    }
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen([HOST_AGENT, "api", "--bind", place], env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: process.poll() is not None or answers(f"http://{place}/healthcheck"), "the API answers")
        yield f"http://{place}"
        assert process.poll() is None, (tmp_path / "server.log").read_text()
    finally:
        process.terminate()
        process.wait(20)


def answers(url: str) -> bool:
    try:
        urlopen(url, timeout=5).close()
    except OSError:
        return False
    return True


def test_every_answer_is_described(served: str, tmp_path: Path) -> None:
    if not (PROGRAMS / "schemathesis").exists():
        absent(f"no Schemathesis in {PROGRAMS}: `make test-api` installs it")
    seed = os.environ.get("API_SEED") or str(random.randrange(2**32))
    argv: list[str | Path] = [
        *(PROGRAMS / "schemathesis", "--config-file", CONFIGURATION, "run", f"{served}/openapi.json"),
        *("--checks", ",".join(CHECKS), "--phases", "coverage,fuzzing", "--max-examples", "25"),
        # With a project before it a path has the same handlers; and of the versions that the other is said not to serve
        # one is served, by a path of its own.
        *("--exclude-path-regex", r"^/v2\.1/\{project_id\}/|^/v\{major\}$"),
        # One: threads that parse Python at the same time, as its strategies do, end in SystemError (cpython#106905).
        *("--seed", seed, "--workers", "1", "--continue-on-failure", "--warnings", "off", "--no-color"),
        *("--generation-database", "none", "--request-timeout", "10"),
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.api.hooks", "PYTHONPATH": str(TOP)}
    began = time.monotonic()
    done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True)

    # What `-rP` shows of a test that passed.
    print(f"seed {seed}, {time.monotonic() - began:.0f} s", *done.stdout.splitlines()[-12:], sep="\n")  # noqa: T201
    assert done.returncode == 0, f"seed {seed}\n{done.stdout[-20_000:]}{done.stderr[-5_000:]}"
    cases = re.search(r"(\d[\d,]*) generated", done.stdout)
    assert cases is not None, done.stdout[-2000:]
    assert int(cases[1].replace(",", "")) >= LEAST_CASES
