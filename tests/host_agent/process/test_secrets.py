# SPDX-License-Identifier: Apache-2.0
"""No password of a database URL gets out, wherever it stands in it and whatever goes wrong."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy.engine import make_url

from tests.host_agent.process.conftest import HostAgent

# A part of every password here, and of nothing else.
SECRET = "S3CRET"
ODD = quote(f"p@{SECRET}/:?#[]&=%w ü", safe="")

# Where a password may stand in a url that is understood; nobody listens there, or somebody refuses it.
URLS = {
    "password": f"postgresql+psycopg://u:{SECRET}@127.0.0.1:1/x",
    "odd-letters": f"postgresql+psycopg://u:{ODD}@127.0.0.1:1/x",
    "query": f"postgresql+psycopg://u@127.0.0.1:1/x?password={SECRET}",
    "odd-letters-in-query": f"postgresql+psycopg://u@127.0.0.1:1/x?sslpassword={ODD}&connect_timeout=2",
    "both": f"postgresql+psycopg://u:{SECRET}1@127.0.0.1:1/x?password={SECRET}2",
    "several-addresses": f"postgresql+psycopg://u:{SECRET}@127.0.0.1:1,127.0.0.1:2/x",
    "addresses-in-query": f"postgresql+psycopg://u:{SECRET}@/x?host=127.0.0.1:1&host=127.0.0.1:2",
    "no-user": f"postgresql+psycopg://:{SECRET}@127.0.0.1:1/x",
    "mysql": f"mysql+pymysql://u:{ODD}@127.0.0.1:1/x",
    "mysql-several-addresses": f"mysql+pymysql://u:{SECRET}@127.0.0.1:1,127.0.0.1:2/x",
    "mysql-query": f"mysql+pymysql://u@127.0.0.1:1/x?password={SECRET}",
    "mysql-refused": f"mysql+pymysql://nobody:{SECRET}@127.0.0.1:3306/x",
    "slash": f"postgresql+psycopg://u:a/{SECRET}@127.0.0.1:1/x",
    "question-mark": f"postgresql+psycopg://u:a?{SECRET}@127.0.0.1:1/x",
    "brackets": f"postgresql+psycopg://u:{SECRET}@[127.0.0.1/x",
    "unresolvable": f"postgresql+psycopg://u:{SECRET}@no.such.host.invalid/x",
    "unknown-option": f"postgresql+psycopg://u@127.0.0.1:1/x?no_such_option={SECRET}",
    "mysql-unknown-option": f"mysql+pymysql://u@127.0.0.1:1/x?no_such_option={SECRET}",
}
# Those that are refused before anything is tried.
BAD_URLS = {
    "at-sign": f"postgresql+psycopg://u:a@{SECRET}@127.0.0.1/x",
    "no-database": f"postgresql+psycopg://u:{SECRET}@127.0.0.1",
    "unsupported": f"oracle://u:{SECRET}@127.0.0.1/x",
    "no-url": f"u:{SECRET}@127.0.0.1",
    "no-port": f"mysql+pymysql://u:%zz{SECRET}@127.0.0.1:x/x",
    "mysql-option-of-another-type": f"mysql+pymysql://u@127.0.0.1:1/x?connect_timeout={SECRET}",
    "sqlite-option-of-another-type": f"sqlite:////nowhere/x.sqlite?timeout={SECRET}",
    "unknown-plugin": f"postgresql+psycopg://u@127.0.0.1:1/x?plugin={SECRET}",
}


def assert_silent(*texts: str) -> None:
    for text in texts:
        at = text.upper().find(SECRET)
        assert at < 0, text[max(0, at - 200) : at + 200]


def heard(manager: socket.socket) -> str:
    manager.setblocking(False)
    messages = []
    try:
        while True:
            messages.append(manager.recv(65536).decode())
    except BlockingIOError:
        return "\n".join(messages)


@pytest.mark.parametrize(
    ("url", "json"),
    [*((url, "false") for url in URLS.values()), (URLS["odd-letters"], "true")],
    ids=[*URLS, "odd-letters-in-json"],
)
def test_a_daemon_that_fails_at_debug_level_tells_none(
    agent: HostAgent,
    captured: Path,
    url: str,
    json: str,
    tmp_path: Path,
    eventually: Callable[[Callable[[], object]], None],
) -> None:
    log, textfile = agent.folder / "agent.log", agent.folder / "x.prom"
    agent.environment |= {
        "OS_CAPABILITY_DATABASE_URL": url,
        "OS_CAPABILITY_DEFAULT__DEBUG": "true",
        "OS_CAPABILITY_DEFAULT__USE_JSON": json,
        "OS_CAPABILITY_DEFAULT__LOG_FILE": str(log),
        "OS_CAPABILITY_DEFAULT__USE_STDERR": "true",
        # oslo.log keeps them quiet by default, also at debug level.
        "OS_CAPABILITY_DEFAULT__DEFAULT_LOG_LEVELS": "sqlalchemy=DEBUG,apscheduler=DEBUG,psycopg=DEBUG",
        "OS_CAPABILITY_METRICS__TEXTFILE": str(textfile),
    }
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(str(tmp_path / "notify"))
        process = agent.start("run", NOTIFY_SOCKET=str(tmp_path / "notify"))
        eventually(lambda: "not stored" in agent.said() or process.poll() is not None)
        eventually(
            lambda: (
                process.poll() is not None
                or (textfile.exists() and 'reports_total{result="failure"} 0' not in textfile.read_text())
            )
        )
        status = heard(manager)
    files = {path.name: path.read_text() for path in (log, textfile, agent.state / "status.json") if path.exists()}
    assert process.poll() is not None or len(files) == 3, "the test looked at everything there is"
    assert_silent(agent.said(), status, *files.values())

    for command in (("status",), ("config", "show"), ("once",), ("hosts", "list"), ("db", "current")):
        answer = agent(*command, OS_CAPABILITY_DEFAULT__LOG_FILE="")
        assert_silent(answer.out, answer.err)


@pytest.mark.parametrize("url", BAD_URLS.values(), ids=BAD_URLS)
def test_a_url_that_is_not_understood_is_not_quoted(agent: HostAgent, captured: Path, url: str) -> None:
    for arguments in (("once", "--database-url", url), ("hosts", "list", "--database-url", url)):
        answer = agent(*arguments)
        assert answer.code in (2, 4)
        assert answer.err.count("\n") == 1
        assert_silent(answer.out, answer.err)
    shown = agent("config", "show", "--database-url", url)
    assert_silent(shown.out, shown.err)
    assert agent.start("run", "--database-url", url, OS_CAPABILITY_DEFAULT__DEBUG="true").wait(timeout=20) in (2, 4)
    assert_silent(agent.said())


@pytest.mark.parametrize(
    "text",
    [
        f"[database]\nurl = postgresql://u:{SECRET}@h/x\nurl postgresql://u:{SECRET}@h/x\n",
        f"[database]\nurll = postgresql://u:{SECRET}@h/x\n",
        f"[database\nurl = postgresql://u:{SECRET}@h/x\n",
        f"url = postgresql://u:{SECRET}@h/x\n",
    ],
    ids=["no-equals-sign", "misspelt", "bad-section", "no-section"],
)
def test_a_file_that_is_not_understood_is_not_quoted_where_it_hurts(agent: HostAgent, text: str) -> None:
    conf = agent.folder / "agent.conf"
    conf.write_text(text)
    answer = agent("once", "--config-file", str(conf))
    assert answer.code == 2
    assert_silent(answer.out, answer.err)


def test_a_report_that_succeeds_at_debug_level_tells_none(
    agent: HostAgent, captured: Path, postgresql_url: str, eventually: Callable[[Callable[[], object]], None]
) -> None:
    """The server here asks for no password, and takes any."""
    url = make_url(postgresql_url).set(password=SECRET).render_as_string(hide_password=False)
    agent.environment["OS_CAPABILITY_DATABASE_URL"] = url
    assert agent("db", "upgrade").code == 0
    agent.start(
        "run",
        OS_CAPABILITY_DEFAULT__DEBUG="true",
        OS_CAPABILITY_DEFAULT__DEFAULT_LOG_LEVELS="sqlalchemy=DEBUG",
    )
    status = agent.state / "status.json"
    eventually(lambda: status.exists() and '"stored": {' in status.read_text())
    assert "sqlalchemy" in agent.said()
    answers = [agent(*command) for command in (("hosts", "list"), ("status",), ("db", "check"))]
    assert [answer.code for answer in answers] == [0, 0, 0]
    assert_silent(agent.said(), status.read_text(), *(answer.out + answer.err for answer in answers))
