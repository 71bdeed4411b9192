# SPDX-License-Identifier: Apache-2.0
"""Servers that are stopped, killed, frozen, full, read-only: what a caller of the store is told, and what is stored."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import make_url

from host_agent import store
from host_agent.errors import StoreBusy, StoreConnectionLost, StoreError, StoreReadOnly, StoreUnreachable
from host_agent.store import migrate
from host_agent.store.engine import Engine
from host_agent.store.transaction import reading, transaction
from tests.host_agent.databases import raw_connection
from tests.host_agent.facts import record
from tests.host_agent.servers import PASSWORD, Server, joined_url, wait_until
from tests.host_agent.store.fleet import claim, codes, enlist, host

Open = Callable[..., Engine]


@pytest.fixture
def engine(any_server: Server, opened: Open) -> Engine:
    """Give an engine on a throw-away server with the newest schema; `any_server` is that server."""
    engine = opened(any_server.url, connect_timeout_seconds=2)
    migrate.create(engine)
    return engine


def line(error: pytest.ExceptionInfo[StoreError]) -> str:
    told = str(error.value)
    assert "\n" not in told
    assert PASSWORD not in told
    return told


def beat_in_transaction(connection: Connection) -> None:
    connection.execute(text("UPDATE services SET report_count = report_count + 1"))


def seen(engine: Engine) -> int:
    (service,) = store.list_services(engine)
    count = service["report_count"]
    assert isinstance(count, int)
    return count


@pytest.mark.parametrize("how", [Server.stop, Server.kill])
def test_a_server_that_goes_in_mid_transaction_loses_all_of_it_and_nothing_else(
    engine: Engine, any_server: Server, how: Callable[[Server], None]
) -> None:
    enlist(engine)

    def work() -> None:
        with transaction(engine) as connection:
            beat_in_transaction(connection)
            how(any_server)
            beat_in_transaction(connection)

    with pytest.raises(StoreConnectionLost) as lost:
        work()
    line(lost)
    with pytest.raises(StoreUnreachable) as unreachable:
        store.list_hosts(engine)
    assert "refused" in line(unreachable)
    any_server.start()
    assert seen(engine) == 1


def test_a_server_killed_at_the_commit_says_so_and_the_call_can_be_repeated(engine: Engine, any_server: Server) -> None:
    """Whether the commit arrived nobody knows; written twice or once, the rows and the events are the same."""

    kills = 0

    def kill_once(_connection: Connection) -> None:
        nonlocal kills
        if kills:
            kills -= 1
            any_server.kill()
            any_server.start()

    event.listen(engine, "commit", kill_once)
    kills = 1
    # Retried from outside, by the store itself: the server is back by then.
    lease = store.register(engine, claim())
    assert codes(engine) == ["host-registered"]
    kills = 1
    store.upsert(engine, record(boot_id=lease.lease.boot_id, running_containers=3), lease.lease)
    assert host(engine)["running_containers"] == 3
    assert len(store.list_services(engine)) == 1


def test_a_restart_between_two_calls_is_not_noticed(engine: Engine, any_server: Server) -> None:
    store.upsert(engine, record(running_containers=1))
    any_server.stop()
    any_server.start()
    store.upsert(engine, record(running_containers=2))
    assert host(engine)["running_containers"] == 2


def free_connections(server: Server) -> int:
    """Give how many more the server takes of a user without privileges: twelve in all."""
    if server.kind == "postgresql":
        # Three are for the superuser.
        ((used,),) = server.administer("SELECT COUNT(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
        return 12 - 3 - (int(used) - 1)
    ((used,),) = server.administer("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'agent'")
    return 12 - int(used)


def test_a_server_without_a_free_connection_says_how_to_mend_it(
    engine: Engine, any_server: Server, opened: Open
) -> None:
    any_server.stop()
    any_server.options["max_connections"] = 12
    any_server.start()
    others = [raw_connection(make_url(any_server.url)) for _ in range(free_connections(any_server))]
    with pytest.raises(StoreUnreachable, match="raise the server's limit of connections") as raised:
        store.list_hosts(engine)
    line(raised)
    for other in others:
        other.close()
    wait_until(lambda: free_connections(any_server) > 0, "the server has seen them go")
    assert store.list_hosts(engine) == []


def test_a_read_only_server_is_read_and_says_so(engine: Engine, any_server: Server) -> None:
    enlist(engine)
    any_server.set_read_only(True)
    with pytest.raises(StoreReadOnly, match="name the primary, or make it writable") as raised:
        store.upsert(engine, record(running_containers=5))
    line(raised)
    assert len(store.list_hosts(engine)) == 1
    any_server.set_read_only(False)
    store.upsert(engine, record(running_containers=5))
    assert host(engine)["running_containers"] == 5


@pytest.mark.parametrize("password", ["wrong-secret", "p@ss/w:o?r#d,%", "ä\U0001f600 "])
def test_a_wrong_password_says_so_and_not_which(any_server: Server, opened: Open, password: str) -> None:
    url = any_server.url.replace(PASSWORD, quote(password, safe=""))
    with pytest.raises(StoreUnreachable, match="correct the user and the password in the database url") as raised:
        store.list_hosts(opened(url))
    assert password not in line(raised)
    assert "'agent'" in line(raised) or '"agent"' in line(raised)


@pytest.mark.parametrize("password", ["p@ss/w:o?r#d,%'", "ä\U0001f600 x"])
def test_a_password_of_odd_characters_works(any_server: Server, opened: Open, password: str) -> None:
    doubled = password.replace("'", "''")
    if any_server.scheme.startswith("postgresql"):
        any_server.administer(f"ALTER ROLE agent PASSWORD '{doubled}'")
    else:
        any_server.administer(f"ALTER USER agent@'127.0.0.1' IDENTIFIED BY '{doubled}'")
    for places in ("", ",127.0.0.1:1"):
        url = any_server.url.replace(PASSWORD, quote(password, safe="")).replace("/fleet", f"{places}/fleet")
        assert migrate.current(opened(url)) is None


def test_a_database_that_is_not_there_says_so(any_server: Server, opened: Open) -> None:
    with pytest.raises(StoreUnreachable) as raised:
        store.list_hosts(opened(any_server.url.replace("/fleet", "/flotte")))
    assert "flotte" in line(raised)


def test_a_server_frozen_before_the_connection_is_given_up(any_server: Server, opened: Open) -> None:
    engine = opened(any_server.url, connect_timeout_seconds=2)
    assert migrate.is_empty(engine)
    any_server.freeze()
    with pytest.raises(StoreUnreachable) as raised:
        store.list_hosts(engine)
    line(raised)
    any_server.thaw()
    assert migrate.is_empty(engine)


def test_a_server_frozen_in_mid_transaction_is_given_up(any_server: Server, opened: Open) -> None:
    """Its own time limit for statements is frozen with it, and its kernel still acknowledges every packet."""
    engine = opened(any_server.url, connect_timeout_seconds=2, statement_timeout_seconds=1)
    migrate.create(engine)
    enlist(engine)

    def work() -> None:
        with transaction(engine) as connection:
            beat_in_transaction(connection)
            any_server.freeze()
            beat_in_transaction(connection)

    with pytest.raises(StoreConnectionLost) as raised:
        work()
    line(raised)
    any_server.thaw()
    assert seen(engine) == 1


class DeafProxy:
    """Forwards between a client and a server until it is told to forget them, as a firewall does: nothing is closed."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._forwards = threading.Event()
        self._forwards.set()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def forget(self) -> None:
        self._forwards.clear()

    def close(self) -> None:
        for one in [self._listener, *self._sockets]:
            # Wakes whoever waits on it; closing alone does not.
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in [self._listener, *self._sockets]:
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                for pair in ((client, server), (server, client)):
                    self._threads.append(threading.Thread(target=self._forward, args=pair))
                    self._threads[-1].start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self._forwards.is_set():
                    target.sendall(data)
            if self._forwards.is_set():
                target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy(any_server: Server) -> Iterator[DeafProxy]:
    proxy = DeafProxy(any_server.port)
    yield proxy
    proxy.close()


def test_a_peer_that_vanished_without_a_word_is_given_up(any_server: Server, proxy: DeafProxy, opened: Open) -> None:
    url = make_url(any_server.url).set(port=proxy.port).render_as_string(hide_password=False)
    engine = opened(url, connect_timeout_seconds=2, statement_timeout_seconds=1)
    migrate.create(engine)

    def work() -> None:
        with transaction(engine) as connection:
            proxy.forget()
            beat_in_transaction(connection)

    with pytest.raises(StoreConnectionLost) as raised:
        work()
    line(raised)


def test_a_statement_that_takes_too_long_is_ended_by_the_server(any_server: Server, opened: Open) -> None:
    engine = opened(any_server.url, statement_timeout_seconds=0.5)
    # MariaDB's SLEEP ends early and says nothing.
    endless = "information_schema.columns AS a, information_schema.columns AS b, information_schema.columns AS c"

    def work() -> None:
        with transaction(engine) as connection:
            connection.execute(text(f"SELECT COUNT(*) FROM {endless}"))

    with pytest.raises(StoreBusy, match=r"statement timeout|max_statement_time"):
        work()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Give a folder on a disk of 1 MiB."""
    folder = tempfile.mkdtemp(prefix="os-capability-")
    command = ["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", folder]
    mounted = os.getuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
    if not mounted:
        Path(folder).rmdir()
        pytest.skip("needs root, to mount a disk that is small enough to fill up")
    yield Path(folder)
    subprocess.run(["umount", "--lazy", folder], check=True)
    Path(folder).rmdir()


def test_a_full_disk_says_so_and_keeps_every_row(small_disk: Path, opened: Open) -> None:
    engine = opened(f"sqlite:///{small_disk}/state.sqlite")
    migrate.make_ready(engine)
    lease = enlist(engine)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * shutil.disk_usage(small_disk).free)
    with pytest.raises(StoreError, match="make room on the disk of the database") as raised:
        store.upsert_many(engine, [record(number) for number in range(2, 200)])
    line(raised)
    assert host(engine)["host"] == "node-1"
    ballast.unlink()
    store.upsert(engine, record(boot_id=lease.boot_id, running_containers=7), lease)
    assert host(engine)["running_containers"] == 7


def test_a_file_that_may_not_grow_says_so(sqlite_url: str, opened: Open) -> None:
    """The same without root: SQLite ends at a number of pages."""
    engine = opened(sqlite_url)
    migrate.make_ready(engine)

    def work() -> None:
        with transaction(engine) as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
            connection.exec_driver_sql("CREATE TABLE ballast AS SELECT randomblob(100000)")

    with pytest.raises(StoreError, match="database or disk is full: make room on the disk of the database"):
        work()


@pytest.fixture
def pair(any_server: Server, make_server: Callable[[str], Server]) -> tuple[Server, Server]:
    """Give two servers; the second takes no writes, as a replica."""
    second = make_server(any_server.kind)
    # What replication would have brought there.
    for server in (any_server, second):
        engine = store.open_engine(server.url)
        migrate.create(engine)
        engine.dispose()
    second.set_read_only(True)
    return any_server, second


def where(engine: Engine) -> int:
    """Give the port of the server that a new transaction works on."""
    query = "SELECT inet_server_port()" if engine.dialect.name == "postgresql" else "SELECT @@port"
    with reading(engine) as connection:
        port = connection.scalar(text(query))
    assert isinstance(port, int)
    return port


def test_a_replica_is_passed_over_and_followed_when_it_is_promoted(pair: tuple[Server, Server], opened: Open) -> None:
    primary, replica = pair
    engine = opened(joined_url(replica, primary), connect_timeout_seconds=2)
    lease = enlist(engine)
    assert where(engine) == primary.port
    primary.kill()
    # Nobody takes writes: what can be read is read.
    assert where(engine) == replica.port
    with pytest.raises(StoreReadOnly):
        store.upsert(engine, record(boot_id=lease.boot_id), lease)
    replica.set_read_only(False)
    enlist(engine)
    assert where(engine) == replica.port
    # The old one comes back as a replica of the new one.
    primary.start()
    primary.set_read_only(True)
    assert where(engine) == replica.port


def test_the_server_that_worked_is_asked_first_the_next_time(pair: tuple[Server, Server], opened: Open) -> None:
    first, second = pair
    second.set_read_only(False)
    engine = opened(joined_url(first, second), connect_timeout_seconds=2)
    assert where(engine) == first.port
    first.kill()
    assert where(engine) == second.port
    first.start()
    assert where(engine) == second.port
    second.kill()
    assert where(engine) == first.port


def test_a_frozen_server_is_passed_over(pair: tuple[Server, Server], opened: Open) -> None:
    frozen, working = pair
    working.set_read_only(False)
    frozen.freeze()
    engine = opened(joined_url(frozen, working), connect_timeout_seconds=2)
    assert where(engine) == working.port


def test_where_no_server_answers_each_is_named_with_its_reason(any_server: Server, opened: Open) -> None:
    port = any_server.port
    any_server.stop()
    engine = opened(any_server.url.replace(f":{port}", f":{port},127.0.0.2:{port}"))
    with pytest.raises(StoreUnreachable, match=r"refused.*: make it reachable") as raised:
        store.list_hosts(engine)
    assert f"127.0.0.1:{port},127.0.0.2:{port}/fleet: 127.0.0.1:{port}: " in line(raised)
    assert f"; 127.0.0.2:{port}: " in line(raised)
