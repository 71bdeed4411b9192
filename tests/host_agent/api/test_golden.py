# SPDX-License-Identifier: Apache-2.0
"""What a real Nova answered to requests that were written down, beside what we answer: its status, its faults word by
word, and the names of all that it tells.

The recording is no part of this project; it is used where it lies beside the checkout.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from falcon import testing

from host_agent import store
from host_agent.settings import load
from host_agent.store import migrate, open_engine
from tests.host_agent.api.conftest import client
from tests.host_agent.facts import record
from tests.host_agent.store.fleet import claim

BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[3].parent / "shared" / "clients" / "recorded" / "golden.txt"
RECORDING = Path(os.environ.get("OS_CAPABILITY_TEST_GOLDEN") or BESIDE_THE_CHECKOUT)

# The host of the recording, and how the parts of its URLs are called there.
HOST, HYPERVISOR, SERVICE, AGGREGATE = (
    "fakehost1",
    "31fada7d-1b01-45bc-bf27-5df22a827d6a",
    "a78953aa-116c-4213-a9ca-fb582223d5fa",
    "100",
)
# A machine of the recording without hosts: it runs nova-conductor.
CONTROLLER = "ctl1"

# Requests that we answer otherwise, and why.
OTHERWISE = {
    "POST /os-aggregates/100/images": "images are cached by Nova, which fails at it itself here",
    "GET /limits": "quotas are Nova's own",
    "GET /extensions": "what Nova was made of before it had versions",
}


class Exchange(NamedTuple):
    """A request and its answer.

    Attributes:
        header: name and value of the one that asks for a version.
        whole: whether the recording has all of the answer's text.
    """

    method: str
    path: str
    header: tuple[str, str]
    body: str | None
    status: int
    headers: str
    text: str
    whole: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.header[1]} {self.body or ''}".strip()


def recorded() -> list[Exchange]:
    if not RECORDING.exists():
        return []
    parts = re.split(r"^### ", RECORDING.read_text(), flags=re.MULTILINE)[1:]
    return [_exchange(*part.split("\n", 3)) for part in parts]


def _exchange(request: str, status: str, headers: str, text: str) -> Exchange:
    line, header, *body = (part.strip() for part in request.split(" | "))
    method, path = line.split()
    name, _, value = header.partition(": ")
    return Exchange(
        method,
        path,
        (name, value),
        body[0].removeprefix("body ") if body else None,
        int(status.split()[1]),
        headers,
        text.strip(),
        _is_json(text) or text.startswith("<html>") or not text.strip(),
    )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


EXCHANGES = recorded()
pytestmark = pytest.mark.skipif(not EXCHANGES, reason=f"no recording at {RECORDING} (OS_CAPABILITY_TEST_GOLDEN)")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[testing.Result]]:
    """Give our answers to all requests, sent in their order."""
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('golden')}/fleet.sqlite")
    migrate.create(engine)
    registered = claim(uuid=HYPERVISOR, host=HOST, hostname=HOST)
    lease = store.register(engine, registered).lease
    facts = record(boot_id=registered.boot_id, uuid=HYPERVISOR, host=HOST, hypervisor_hostname=HOST, hostname=HOST)
    store.upsert(engine, facts, lease)
    settings = load(environ={"OS_CAPABILITY_CONFIG_FILE": "/dev/null", "STATE_DIRECTORY": "/nonexistent"}).settings
    api = client(engine, settings)
    names = {HYPERVISOR: HYPERVISOR, SERVICE: lease.service_uuid}
    answers = []
    for exchange in EXCHANGES:
        answer = _send(api, exchange, names)
        if exchange.method == "POST" and exchange.path == "/os-aggregates" and answer.status_code == 200:
            names[f"/{AGGREGATE}"] = f"/{answer.json['aggregate']['id']}"
        answers.append(answer)
    yield answers
    engine.dispose()


def _send(api: testing.TestClient, exchange: Exchange, names: dict[str, str]) -> testing.Result:
    path, _, query = exchange.path.partition("?")
    for theirs, our in names.items():
        path = path.replace(theirs, our)
    name, value = exchange.header
    headers = {name: value, "Content-Type": "application/json"}
    return api.simulate_request(
        exchange.method, f"/v2.1{path}", query_string=query, headers=headers, body=exchange.body
    )


@pytest.mark.parametrize("number", range(len(EXCHANGES)), ids=[str(exchange) for exchange in EXCHANGES])
def test_we_answer_as_a_nova_does(ours: list[testing.Result], number: int) -> None:
    theirs, answer = EXCHANGES[number], ours[number]
    if f"{theirs.method} {theirs.path}" in OTHERWISE:
        assert answer.status_code == 404
        return

    assert answer.status_code == theirs.status, answer.text
    for header in ("OpenStack-API-Version", "X-OpenStack-Nova-API-Version"):
        told = re.search(rf"(?:^|;){header}: ([^;]+)", theirs.headers)
        assert answer.headers.get(header.lower()) == (told[1] if told else None)
    assert answer.headers.get("content-type", "").partition(";")[0] == _content_type(theirs)
    if not theirs.text.startswith("{"):
        return
    if theirs.status >= 400:
        # Our first aggregate has another number.
        assert json.loads(re.sub(r"aggregate \d+", f"aggregate {AGGREGATE}", answer.text)) == json.loads(theirs.text)
    elif theirs.whole:
        assert _names(answer.json) == _names(json.loads(theirs.text))
    else:
        # Only the beginning was kept.
        assert set(re.findall(r'"(\w+)":', theirs.text)) <= set(re.findall(r'"(\w+)":', answer.text))


def _content_type(theirs: Exchange) -> str:
    found = re.search(r"Content-Type: ([^;]+)", theirs.headers)
    return found[1] if found else ""


def _names(value: Any) -> Any:
    """Give the names in a value; a list's first member stands for all. What is about a controller we have not."""
    if isinstance(value, dict):
        return {name: _names(member) for name, member in value.items()}
    if isinstance(value, list):
        members = [member for member in value if CONTROLLER not in json.dumps(member)]
        return [_names(member) for member in members[:1]]
    return None
