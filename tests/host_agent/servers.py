# SPDX-License-Identifier: Apache-2.0
"""Throw-away database servers that a test may stop, kill, freeze and fill up.

    def test_it(postgresql_server: Server) -> None:      # or mariadb_server, or any_server for both in turn
        use(postgresql_server.url)                       # of an empty database, as a user without privileges
        postgresql_server.kill()
        postgresql_server.start()                        # the same port, the same data

Each has a folder and a port of 127.0.0.1 of its own. `make_server("postgresql")` gives further ones.
"""

from __future__ import annotations

import abc
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

from tests.beds import absent

__all__ = ["PASSWORD", "MariaDb", "PostgreSql", "Server", "free_port", "joined_url", "wait_until"]

# Of the user `agent` in `Server.url`. Nothing that anybody may see says it.
PASSWORD = "pass-word-that-must-not-show"

_START_SECONDS = 60
_STOP_SECONDS = 60


def wait_until(condition: Callable[[], object], what: str, *, seconds: float = 60) -> None:
    """Wait for a condition, as long as a busy machine may need."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def joined_url(*servers: Server) -> str:
    """Give the url that names several servers, to be tried in this order."""
    places = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    return f"{servers[0].scheme}://agent:{PASSWORD}@{places}/fleet"


class Server(abc.ABC):
    """A server with an empty database `fleet` that belongs to the user `agent`; it starts with `start`.

    Attributes:
        folder: its data, log and socket.
        options: what it is started with beside our own, for example ``{"max_connections": 12}``.
    """

    kind: str
    scheme: str
    user: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.options: dict[str, object] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return joined_url(self)

    @cached_property
    def log(self) -> Path:
        return self.folder / "server.log"

    def start(self) -> None:
        """Start it, anew after `stop` or `kill`; it answers when this returns."""
        assert self._process is None, "it runs"
        # After the folder: the log is the first thing it writes.
        with self.log.open("ab") as log:
            self._process = run_as(self.user, self._command(), self.folder, log)
        wait_until(self._answers, f"{self.scheme} answers", seconds=_START_SECONDS)

    def stop(self) -> None:
        """Stop it in order, as an administrator does: whoever is connected is sent away."""
        assert self._process is not None, "it does not run"
        self.thaw()
        self._process.send_signal(self._stop_signal)
        self._process.wait(_STOP_SECONDS)
        self._process = None

    def kill(self) -> None:
        """Kill it (SIGKILL), as the kernel does when memory is short."""
        assert self._process is not None, "it does not run"
        self._signal(signal.SIGKILL)
        self._process.wait(_STOP_SECONDS)
        self._process = None

    def freeze(self) -> None:
        """Stop it from running without closing anything, as a hung disk does; `thaw` lets it go on."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    @abc.abstractmethod
    def set_read_only(self, read_only: bool) -> None:
        """Refuse every write of the user `agent`, as a replica does, or take them again."""

    @abc.abstractmethod
    def administer(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement as the server's superuser, outside `fleet`; give its rows."""

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def remove(self) -> None:
        if self._process is not None:
            self.kill()
        shutil.rmtree(self.folder)

    _stop_signal = signal.SIGTERM

    @abc.abstractmethod
    def _command(self) -> list[str]: ...

    @abc.abstractmethod
    def _socket_name(self) -> str: ...

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            self._process = None
            tail = self.log.read_text(errors="replace").splitlines()[-20:]
            raise AssertionError("\n".join(["the server did not start:", *tail]))
        # PyMySQL leaves the socket of a connection that was refused to the garbage collector, which warns.
        with suppress(OSError, psycopg.OperationalError, pymysql.err.OperationalError):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(self.folder / self._socket_name()))
            self.administer("SELECT 1")
            return True
        return False

    def _signal(self, number: int) -> None:
        assert self._process is not None, "it does not run"
        for pid in [self._process.pid, *_children(self._process.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


class PostgreSql(Server):
    kind = "postgresql"
    scheme = "postgresql+psycopg"
    user = "postgres"
    # Fast: end the sessions. SIGTERM would wait for them to end by themselves.
    _stop_signal = signal.SIGINT

    @staticmethod
    def program(name: str) -> str | None:
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        return str(found[-1]) if found else shutil.which(name)

    @classmethod
    def install(cls, folder: Path) -> None:
        """Make the data that every server starts from."""
        command = [str(cls.program("initdb")), "-D", str(folder / "data"), "-U", "postgres", "-A", "trust"]
        run_to_end(cls.user, [*command, "-E", "UTF8", "--locale=C", "--no-sync"], folder)
        access = "local all all trust\nhost all agent 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
        (folder / "data" / "pg_hba.conf").write_text(access)
        server = cls(folder)
        server.start()
        server.administer(f"CREATE ROLE agent LOGIN PASSWORD '{PASSWORD}'")
        server.administer("CREATE DATABASE fleet OWNER agent")
        server.stop()

    def set_read_only(self, read_only: bool) -> None:
        self.administer(f"ALTER SYSTEM SET default_transaction_read_only = {'on' if read_only else 'off'}")
        self.administer("SELECT pg_reload_conf()")
        # The signal comes when it comes.
        wanted = [("on" if read_only else "off",)]
        wait_until(lambda: self.administer("SHOW default_transaction_read_only") == wanted, "read-only is set")

    def administer(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(
            host=str(self.folder), port=self.port, user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            # Its own sessions may write, however the server is set.
            if not statement.startswith("SHOW"):
                connection.execute("SET default_transaction_read_only = off")
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _command(self) -> list[str]:
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "shared_buffers": "16MB",
            "max_connections": 40,
            # What the kernel has outlives the server, which is all that these tests kill.
            "fsync": "off",
            **self.options,
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [str(self.program("postgres")), "-D", str(self.folder / "data"), *settings]

    def _socket_name(self) -> str:
        return f".s.PGSQL.{self.port}"


class MariaDb(Server):
    kind = "mariadb"
    scheme = "mysql+pymysql"
    user = "mysql"

    @staticmethod
    def program(name: str) -> str | None:
        return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")

    @classmethod
    def install(cls, folder: Path) -> None:
        """Make the data that every server starts from."""
        data = [f"--datadir={folder / 'data'}", f"--tmpdir={folder}"]
        command = [str(cls.program("mariadb-install-db")), "--no-defaults", *data]
        root = ["--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=8M"]
        run_to_end(cls.user, [*command, *root], folder)
        server = cls(folder)
        server.start()
        server.administer("CREATE DATABASE fleet")
        server.administer(f"CREATE USER agent@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
        server.administer("GRANT ALL ON fleet.* TO agent@'127.0.0.1'")
        server.stop()

    def set_read_only(self, read_only: bool) -> None:
        self.administer(f"SET GLOBAL read_only = {int(read_only)}")

    def administer(self, statement: str) -> list[tuple[Any, ...]]:
        with (
            closing(self._connect()) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            return list(cursor.fetchall())

    def _connect(self) -> pymysql.connections.Connection:
        # Without TLS, which takes 22 ms of CPU at each connection to load every certificate of the system.
        socket = str(self.folder / "sock")
        return pymysql.connect(unix_socket=socket, user="root", autocommit=True, ssl_disabled=True)

    def _command(self) -> list[str]:
        options = {
            "datadir": self.folder / "data",
            # A server that starts deletes every `#sql*` file of its tmpdir: in /tmp, those of the machine's own.
            "tmpdir": self.folder,
            "socket": self.folder / "sock",
            "pid-file": self.folder / "pid",
            "port": self.port,
            "bind-address": "127.0.0.1",
            "max_connections": 40,
            "innodb-log-file-size": "8M",
            "innodb-buffer-pool-size": "16M",
            "innodb-flush-log-at-trx-commit": 2,
            **self.options,
        }
        settings = [f"--{name}={value}" for name, value in options.items()]
        return [str(self.program("mariadbd")), "--no-defaults", "--skip-name-resolve", *settings]

    def _socket_name(self) -> str:
        return "sock"


_KINDS: dict[str, tuple[type[PostgreSql | MariaDb], tuple[str, ...]]] = {
    "postgresql": (PostgreSql, ("initdb", "postgres")),
    "mariadb": (MariaDb, ("mariadb-install-db", "mariadbd")),
}


class Templates:
    """The data of a new server of each kind, made once and copied for each test."""

    def __init__(self) -> None:
        self._folders: dict[str, Path] = {}

    def copy(self, backend: str) -> Server:
        """Give a server of a kind, which has not been started yet."""
        return _KINDS[backend][0](self.folder(backend))

    def folder(self, backend: str) -> Path:
        """Give a new folder with the data of a server of a kind."""
        kind, programs = _KINDS[backend]
        for name in programs:
            if kind.program(name) is None:
                # A suite that skips what it cannot see would be green in CI for ever.
                absent(f"no throw-away {backend} server: no {name}")
        if backend not in self._folders:
            self._folders[backend] = new_folder(kind.user)
            kind.install(self._folders[backend])
        folder = new_folder(kind.user)
        source = self._folders[backend] / "data"
        subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(folder)], check=True)
        return folder

    def remove(self) -> None:
        for folder in self._folders.values():
            shutil.rmtree(folder)


@pytest.fixture(scope="session")
def server_templates() -> Iterator[Templates]:
    templates = Templates()
    yield templates
    templates.remove()


@pytest.fixture
def make_server(server_templates: Templates) -> Iterator[Callable[[str], Server]]:
    """Give a function that makes a server of a kind ("postgresql", "mariadb") and starts it."""
    servers: list[Server] = []

    def make(backend: str) -> Server:
        servers.append(server_templates.copy(backend))
        servers[-1].start()
        return servers[-1]

    yield make
    for server in servers:
        server.remove()


@pytest.fixture
def postgresql_server(make_server: Callable[[str], Server]) -> Server:
    return make_server("postgresql")


@pytest.fixture
def mariadb_server(make_server: Callable[[str], Server]) -> Server:
    return make_server("mariadb")


@pytest.fixture(params=list(_KINDS))
def any_server(request: pytest.FixtureRequest, make_server: Callable[[str], Server]) -> Server:
    """Give a server of each kind in turn."""
    return make_server(request.param)


def new_folder(user: str) -> Path:
    """Make a folder that belongs to `user`, with a path short enough for a socket in it."""
    folder = Path(tempfile.mkdtemp(prefix="os-capability-"))
    if os.getuid() == 0:
        account = pwd.getpwnam(user)
        os.chown(folder, account.pw_uid, account.pw_gid)
    return folder


def run_as(user: str, command: list[str], folder: Path, log: Any) -> subprocess.Popen[bytes]:
    """Start a program as a user without privileges, which is what database servers insist on."""
    account: dict[str, Any] = {}
    if os.getuid() == 0:
        account = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    # Another session: Ctrl-C in the terminal is for the tests, which then end the server themselves.
    return subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **account
    )


def run_to_end(user: str, command: list[str], folder: Path) -> None:
    with (folder / "install.log").open("wb") as log:
        status = run_as(user, command, folder, log).wait()
    assert status == 0, (folder / "install.log").read_text(errors="replace")


def _children(pid: int) -> list[int]:
    """Give the processes that a process has started; each session of PostgreSQL is one, in a group of its own."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # After the name, which stands in parentheses and may hold anything: state, then parent.
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found
