# SPDX-License-Identifier: Apache-2.0
"""The command `host-agent`.

Each command imports what it needs when it runs: help and wrong usage must not wait for a database layer.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from host_agent.settings import Configuration, Settings
    from host_agent.store.engine import Engine

__all__ = ["main"]

EXIT_DONE, EXIT_NO, EXIT_USAGE, EXIT_UNREADABLE, EXIT_STORE, EXIT_UNWRITTEN, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 74, 130

_UNWRITTEN = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}

_EPILOG = """\
exit codes: 0 done; 1 the answer is no (db check, hosts show); 2 wrong usage or settings;
3 the machine could not be read; 4 trouble with the database; 74 the answer could not be written
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code."""
    asked = _parser().parse_args(arguments)
    try:
        code: int = asked.command(asked)
        print(end="", flush=True)
    except BrokenPipeError:  # the reader (head, a pager) has seen enough
        _stop_writing()
        return EXIT_DONE
    except OSError as error:
        if error.errno not in _UNWRITTEN:
            raise
        _stop_writing()
        return _complain(f"the answer could not be written: {error.strerror}", EXIT_UNWRITTEN)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:
        return _complain(str(error), _exit_code(error))
    return code


def _stop_writing() -> None:
    """Keep the interpreter from flushing once more at its end what could not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _exit_code(error: Exception) -> int:
    """Give the exit code of an expected error; anything else is a bug and goes on as it is."""
    from host_agent.errors import ConfigError, HostAgentError, IdentityError, InvalidDatabaseUrl, InvalidRecord
    from os_capability import InvalidRoot, OsCapabilityError

    for kinds, code in (
        ((ConfigError, IdentityError, InvalidDatabaseUrl, InvalidRoot), EXIT_USAGE),
        ((OsCapabilityError, InvalidRecord), EXIT_UNREADABLE),
        ((HostAgentError,), EXIT_STORE),
    ):
        if isinstance(error, kinds):
            return code
    raise error


def _complain(message: str, exit_code: int) -> int:
    print(f"host-agent: {message}", file=sys.stderr)
    return exit_code


class _Parser(argparse.ArgumentParser):
    """Answers wrong usage in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"host-agent: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="host-agent",
        description="Keeps this host's row in the compute_host table.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    _add_global_options(parser, "before")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, prog=parser.prog)
    _add_command(
        commands, "once", _once, "read this machine, store its row, and show the row", formats=("table", "json")
    )
    _add_command(commands, "run", _run, "the daemon: what systemd starts")

    database = _add_commands(commands, "db", "the schema of the database")
    _add_command(database, "upgrade", _db_upgrade, "bring the schema to this version")
    _add_command(database, "current", _db_current, "show the schema's version")
    _add_command(database, "check", _db_check, "say how the schema differs from this version; exit 1 if it does")

    hosts = _add_commands(commands, "hosts", "the hosts in the database")
    _add_command(hosts, "list", _hosts_list, "one line for each host", formats=("table", "json"))
    show = _add_command(hosts, "show", _hosts_show, "the row of one host", formats=("table", "json"))
    show.add_argument("name", metavar="NAME_OR_UUID", help="a host's name or uuid")

    config = _add_commands(commands, "config", "the settings")
    _add_command(config, "sample", _config_sample, "a sample of every setting", formats=("conf", "markdown"))
    _add_command(config, "show", _config_show, "the settings in effect and where each comes from")
    return parser


_Commands = argparse._SubParsersAction  # argparse has no public name for what add_subparsers() gives


def _add_commands(commands: _Commands[_Parser], name: str, about: str) -> _Commands[_Parser]:
    parser = commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
    return parser.add_subparsers(metavar="COMMAND", required=True, prog=parser.prog)


def _add_command(
    commands: _Commands[_Parser],
    name: str,
    command: Callable[[argparse.Namespace], int],
    about: str,
    formats: Sequence[str] = (),
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
    parser.set_defaults(command=command)
    _add_global_options(parser, "after")
    if formats:
        parser.add_argument("-f", dest="format", choices=formats, default=formats[0], help=f"default: {formats[0]}")
    return parser


def _add_global_options(parser: argparse.ArgumentParser, where: str) -> None:
    """Add the options that may stand before the command and after it; each place has a name of its own."""
    parser.add_argument(
        "--config-file",
        metavar="FILE",
        action="append",
        default=[],
        dest=f"config_files_{where}",
        help="a settings file; may be repeated, the later one wins (default: /etc/os-capability/host-agent.conf)",
    )
    parser.add_argument(
        "--database-url",
        metavar="URL",
        dest=f"database_url_{where}",
        help="where the rows are: sqlite:///FILE, postgresql+psycopg://... or mysql+pymysql://...",
    )


class _Version(argparse.Action):
    """Asks the library for the version only when somebody wants to know it."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from os_capability import __version__

        print(f"{parser.prog} {__version__}")
        parser.exit()


def _configuration(asked: argparse.Namespace) -> Configuration:
    from host_agent.settings import load

    before, after = asked.database_url_before, asked.database_url_after
    return load(asked.config_files_before + asked.config_files_after, before if after is None else after)


@contextmanager
def _opened(settings: Settings) -> Iterator[Engine]:
    """Give the engine of the configured database; an embedded one has its directory made."""
    from host_agent.identity import make_state_directory
    from host_agent.settings import embedded_url
    from host_agent.store import open_engine

    if settings.database.url == embedded_url(settings.state_path):
        make_state_directory(settings.state_path)
    engine = open_engine(settings.database.url)
    try:
        with _patience(f"waiting for {_shown_url(settings)}"):
            yield engine
    finally:
        engine.dispose()


@contextmanager
def _patience(doing: str) -> Iterator[None]:
    """Say what takes so long, where something takes longer than 2 s."""
    timer = threading.Timer(2, lambda: print(f"host-agent: {doing} ...", file=sys.stderr))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shown_url(settings: Settings) -> str:
    from host_agent.settings import hide_password

    return hide_password(settings.database.url)


def _once(asked: argparse.Namespace) -> int:
    from host_agent import store
    from host_agent.identity import LocalIdentity, make_state_directory
    from host_agent.record import compute_host
    from host_agent.report.database import DatabaseReport
    from host_agent.watch import HostWatch
    from os_capability import __version__, load_driver

    settings = _configuration(asked).settings
    agent = settings.agent
    make_state_directory(settings.state_path)
    identity = LocalIdentity(settings.state_path, host=settings.host, my_ip=settings.my_ip)
    with _patience("reading this machine"):
        facts = HostWatch(load_driver(agent.root, agent.source), agent.full_interval).look()
    for warning in facts.warnings:
        _complain(f"{warning.code}: {warning.message}", EXIT_DONE)
    who = identity.register(facts.hostname)
    with _opened(settings) as engine:
        report = DatabaseReport(engine, binary=agent.binary, topic=agent.topic)
        report.facts(compute_host(facts, who, __version__))
        row = store.get(engine, who.uuid)
    if row is None:
        return _complain(f"the row of {who.uuid} was removed while it was read back: run it again", EXIT_STORE)
    _show_row(asked, settings, row)
    return EXIT_DONE


def _show_row(asked: argparse.Namespace, settings: Settings, row: Mapping[str, object]) -> None:
    from host_agent import render

    if asked.format == "json":
        print(render.host_json(row))
    else:
        print(render.host_table(row, colour=_colour()))
        print(f"stored in {_shown_url(settings)}, table compute_host, uuid {row['uuid']}")


def _colour() -> bool:
    return (
        sys.stdout is not None
        and sys.stdout.isatty()
        and "NO_COLOR" not in os.environ
        and os.environ.get("TERM") != "dumb"
    )


def _run(asked: argparse.Namespace) -> int:
    configuration = _configuration(asked)
    from host_agent import daemon

    daemon.run(configuration)
    return EXIT_DONE


def _db_upgrade(asked: argparse.Namespace) -> int:
    from host_agent.store import migrate

    settings = _configuration(asked).settings
    with _opened(settings) as engine:
        before = migrate.current(engine)
        migrate.upgrade(engine)
        after = migrate.current(engine)
    moved = f"is at {after} already" if before == after else f"went from {before or 'nothing'} to {after}"
    print(f"the schema of {_shown_url(settings)} {moved}")
    return EXIT_DONE


def _db_current(asked: argparse.Namespace) -> int:
    from host_agent.store import migrate

    with _opened(_configuration(asked).settings) as engine:
        print(migrate.current(engine) or "none")
    return EXIT_DONE


def _db_check(asked: argparse.Namespace) -> int:
    from host_agent.store import migrate

    with _opened(_configuration(asked).settings) as engine:
        differences = migrate.check(engine)
    for line in differences:
        print(line)
    return EXIT_NO if differences else EXIT_DONE


def _hosts_list(asked: argparse.Namespace) -> int:
    from host_agent import render, store
    from host_agent.report.database import require_schema

    with _opened(_configuration(asked).settings) as engine:
        require_schema(engine)
        rows = page = store.list_hosts(engine)
        while page:
            page = store.list_hosts(engine, marker=str(page[-1]["uuid"]))
            rows = rows + page
    print(render.host_list_json(rows) if asked.format == "json" else render.host_list(rows))
    return EXIT_DONE


def _hosts_show(asked: argparse.Namespace) -> int:
    from host_agent import store
    from host_agent.report.database import require_schema

    settings = _configuration(asked).settings
    with _opened(settings) as engine:
        require_schema(engine)
        rows = store.find(engine, asked.name)
        if len(rows) == 1:
            rows = [store.get(engine, str(rows[0]["uuid"])) or rows[0]]  # with its document
    if not rows:
        return _complain(f"no host is called {asked.name!r}; `host-agent hosts list` shows them", EXIT_NO)
    if len(rows) > 1:
        uuids = ", ".join(str(row["uuid"]) for row in rows)
        return _complain(f"{len(rows)} hosts are called {asked.name!r}: ask for one by its uuid: {uuids}", EXIT_NO)
    _show_row(asked, settings, rows[0])
    return EXIT_DONE


def _config_sample(asked: argparse.Namespace) -> int:
    from host_agent import sample

    print({"conf": sample.as_conf, "markdown": sample.as_markdown}[asked.format](), end="")
    return EXIT_DONE


def _config_show(asked: argparse.Namespace) -> int:
    from host_agent.settings import shown

    for name, value, origin in shown(_configuration(asked)):
        print(f"{name} = {value}  ({origin})")
    return EXIT_DONE
