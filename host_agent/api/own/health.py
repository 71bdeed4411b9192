# SPDX-License-Identifier: Apache-2.0
"""``/healthcheck``: whether this process lives, and whether it can do its work, for load balancers and supervisors."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from weakref import WeakKeyDictionary

from host_agent.api.errors import RETRY_AFTER
from host_agent.api.operation import PUBLIC, Answer, Call, Operation, Schema, Variant
from host_agent.errors import SchemaOutdated, StoreError
from host_agent.store import migrate
from host_agent.store.engine import Engine

__all__ = ["LIVE", "READY", "database_trouble"]

# Load balancers wait for a few seconds; a database that hangs takes longer than that to be given up.
_LIMIT_SECONDS = 1.5

_STATUS: Schema = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"enum": ["ok", "unavailable"]}, "reason": {"type": "string"}},
    "additionalProperties": False,
}


def database_trouble(engine: Engine) -> str | None:
    """Tell why the database cannot be worked with, in words for anybody; ``None`` where it can.

    Takes a moment even where the database hangs; whoever asks meanwhile waits for the same answer.
    """
    with _LOCK:
        asked = _ASKED.get(engine)
        if asked is None or asked.done():
            asked = _ASKED[engine] = Future()
            # Not one of a pool's: the end of the process would wait for it.
            threading.Thread(target=_ask, args=(engine, asked), name="healthcheck", daemon=True).start()
    try:
        return asked.result(_LIMIT_SECONDS)
    except TooLate:
        return "the database does not answer in time"


# The one question that is on its way to each database, or its answer.
_ASKED: WeakKeyDictionary[Engine, Future[str | None]] = WeakKeyDictionary()
_LOCK = threading.Lock()


def _ask(engine: Engine, asked: Future[str | None]) -> None:
    try:
        migrate.require_current(engine)
    except SchemaOutdated:
        asked.set_result("the database has an older schema than this program: `host-agent db upgrade` brings it up")
    except StoreError:
        # Which one, and where it is, is for the log of whoever asks for data.
        asked.set_result("the database does not answer")
    except BaseException as error:
        asked.set_exception(error)
        raise
    else:
        asked.set_result(None)


def _live(call: Call) -> object:
    return _answer(call, None)


def _ready(call: Call) -> object:
    return _answer(call, database_trouble(call.engine))


def _answer(call: Call, trouble: str | None) -> Answer:
    """Give the answer as JSON where the client asks for that, else as a line of text."""
    told = {"status": "ok"} if trouble is None else {"status": "unavailable", "reason": trouble}
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    status = 200
    if trouble is not None:
        status, headers = 503, headers | RETRY_AFTER
    if "application/json" in call.headers.get("accept", ""):
        return Answer(body=told, status=status, headers=headers)
    text = f"{': '.join(told.values())}\n".encode()
    return Answer(body=text, status=status, content_type="text/plain; charset=utf-8", headers=headers)


LIVE = Operation(
    "Tell whether this process answers.",
    (Variant(_live),),
    rule="os_capability:healthcheck",
    role=PUBLIC,
    returns=_STATUS,
    produces=("application/json", "text/plain"),
)

READY = Operation(
    "Tell whether this process can work: the database answers, and its schema is that of this program or newer.",
    (Variant(_ready),),
    rule="os_capability:healthcheck",
    role=PUBLIC,
    returns=_STATUS,
    also=(503,),
    produces=("application/json", "text/plain"),
)
