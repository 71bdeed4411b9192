# SPDX-License-Identifier: Apache-2.0
"""The frozen `Settings`, which everything gets as an argument.

An option is given on the command line, in the environment, in a file or not at all; the first of these that has it
decides.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oslo_config import cfg
from oslo_log import log as oslo_log

from host_agent.errors import ConfigError
from host_agent.options import OPTIONS, allowed

__all__ = [
    "DEFAULT_CONFIG_FILE",
    "AgentSettings",
    "Configuration",
    "DatabaseSettings",
    "EventSettings",
    "MetricsSettings",
    "Settings",
    "embedded_url",
    "hide_password",
    "load",
    "shown",
]

DEFAULT_CONFIG_FILE = "/etc/os-capability/host-agent.conf"

DATABASE_FILE = "os-capability.sqlite"

_PREFIX = "OS_CAPABILITY_"
_CONFIG_FILE_VARIABLE = "OS_CAPABILITY_CONFIG_FILE"
_STATE_DIRECTORY_VARIABLE = "STATE_DIRECTORY"  # systemd's
_DATABASE_URL_VARIABLE = "OS_CAPABILITY_DATABASE_URL"
# The test suite's own variables may stand in the same shell; they are no misspelt options.
_TEST_PREFIX = "OS_CAPABILITY_TEST_"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """Section ``[database]``."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Section ``[agent]``; intervals are seconds."""

    root: str
    source: str
    refresh_interval: int
    full_interval: int
    report_interval: int
    down_after: int
    retry_interval: int
    stall_after: int
    binary: str
    topic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSettings:
    """Section ``[events]``; ``fold_interval`` is seconds."""

    fold_interval: int
    max_age_days: int
    max_per_host: int
    spool_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """Section ``[metrics]``; ``None`` is nowhere."""

    bind: str | None
    textfile: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, defaults filled in; ``host`` and ``my_ip`` are ``None`` where the machine itself decides."""

    host: str | None
    my_ip: str | None
    host_uuid_file: str
    state_path: Path
    database: DatabaseSettings
    agent: AgentSettings
    events: EventSettings
    metrics: MetricsSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The settings and what belongs to them.

    Attributes:
        origins: where each option that was given comes from, by section and name; the others have their defaults.
        logging: oslo.log's own options, which stand in the same files under ``[DEFAULT]``.
    """

    settings: Settings
    origins: Mapping[tuple[str, str], str]
    logging: cfg.ConfigOpts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """The text of one option as somebody wrote it, and where."""

    section: str
    name: str
    text: str
    origin: str


def load(
    config_files: Sequence[str] = (),
    database_url: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Configuration:
    """Bring the command line, the environment, the files and the defaults together.

    Args:
        config_files: as given on the command line; the later file wins. Without any: ``$OS_CAPABILITY_CONFIG_FILE``,
            else `DEFAULT_CONFIG_FILE` where that exists.
        database_url: as given on the command line.
        environ: the environment, by default this process's.

    Raises:
        ConfigError: names the option, its value and what is allowed.
    """
    environ = os.environ if environ is None else environ
    logging_options = cfg.ConfigOpts()
    oslo_log.register_options(logging_options)
    known = {section: [option.dest for option in options] for section, options in OPTIONS.items()}
    known["DEFAULT"] += list(logging_options)

    values: dict[tuple[str, str], object] = {
        (section, option.dest): option.default for section, options in OPTIONS.items() for option in options
    }
    origins: dict[tuple[str, str], str] = {}
    for given in _all_given(config_files, database_url, environ, known):
        key = (given.section, given.name)
        if key in values:
            values[key] = _value(given)
        else:
            _set_logging_option(logging_options, given)
        origins[key] = given.origin
    settings = _settings(values, environ)
    if values["DEFAULT", "state_path"] is None and environ.get(_STATE_DIRECTORY_VARIABLE):
        origins["DEFAULT", "state_path"] = f"${_STATE_DIRECTORY_VARIABLE}"
    _refuse_incoherent(settings, origins)
    return Configuration(settings=settings, origins=origins, logging=logging_options)


def embedded_url(state_path: Path) -> str:
    """Give the URL of the SQLite file that serves where no other database is named."""
    return f"sqlite:///{state_path / DATABASE_FILE}"


def hide_password(url: str) -> str:
    """Give a database URL that may be shown: without its password, and without its query, which may hold one too."""
    scheme, separator, rest = url.partition("://")
    place, _, query = rest.partition("?")
    if not separator or "@" in query:
        # No URL, or one whose password has a ? of its own: nobody can tell what of it is secret.
        return f"{scheme}://***" if separator else "***"
    credentials, at, address = place.rpartition("@")
    user, colon, _password = credentials.partition(":")
    return f"{scheme}://{user}{colon and ':***'}{at}{address}"


def shown(configuration: Configuration) -> Iterator[tuple[str, str, str]]:
    """Give the name, the value and the origin of every setting in effect; secrets are hidden.

    Of oslo.log's options only those somebody gave.
    """
    settings, origins = configuration.settings, configuration.origins
    holders: dict[str, object] = {"DEFAULT": settings}
    holders |= {section: getattr(settings, section) for section in OPTIONS if section != "DEFAULT"}
    for section, options in OPTIONS.items():
        for option in options:
            value = getattr(holders[section], option.dest)
            text = hide_password(value) if option.secret else str(option.sample_default if value is None else value)
            yield f"[{section}] {option.dest}", text, origins.get((section, option.dest), "default")
    for (section, name), origin in origins.items():
        if name in configuration.logging:
            yield f"[{section}] {name}", str(configuration.logging[name]), origin


def _all_given(
    config_files: Sequence[str], database_url: str | None, environ: Mapping[str, str], known: Mapping[str, list[str]]
) -> Iterable[_Given]:
    """Give every option that somebody wrote, the one that decides last."""
    for path in config_files or _default_files(environ):
        yield from _in_file(path, known)
    yield from _in_environment(environ, known)
    if database_url is not None:
        yield _Given(section="database", name="url", text=database_url, origin="--database-url")


def _default_files(environ: Mapping[str, str]) -> list[str]:
    if _CONFIG_FILE_VARIABLE in environ:
        return [environ[_CONFIG_FILE_VARIABLE]]
    return [DEFAULT_CONFIG_FILE] if Path(DEFAULT_CONFIG_FILE).exists() else []


def _in_file(path: str, known: Mapping[str, list[str]]) -> Iterable[_Given]:
    sections: dict[str, dict[str, list[str]]] = {}
    try:
        cfg.ConfigParser(path, sections).parse()
    except cfg.ParseError as error:
        line = (error.line or "").strip()
        quoted = f": {hide_password(line) if '@' in line else line!r}" if line else ""
        raise ConfigError(f"{path}, line {error.lineno}: {error.msg}{quoted}") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text, from byte {error.start} on") from None
    for section, options in sections.items():
        if section not in known:
            raise ConfigError(f"{path}: unknown section [{section}]{_nearest(section, known)}")
        for written, texts in options.items():
            name = written.replace("-", "_")  # as everywhere in OpenStack
            if name not in known[section]:
                hint = _nearest(name, known[section], listed=[option.dest for option in OPTIONS[section]])
                raise ConfigError(f"{path}: unknown option {written!r} in section [{section}]{hint}")
            yield _Given(section=section, name=name, text=texts[-1], origin=path)


def _in_environment(environ: Mapping[str, str], known: Mapping[str, list[str]]) -> Iterable[_Given]:
    variables = {
        f"{_PREFIX}{section}__{name}".upper(): (section, name) for section, names in known.items() for name in names
    }
    variables[_DATABASE_URL_VARIABLE] = ("database", "url")
    for variable in sorted(environ):
        if not variable.startswith(_PREFIX) or variable.startswith(_TEST_PREFIX) or variable == _CONFIG_FILE_VARIABLE:
            continue
        if variable not in variables:
            hint = _nearest(variable, [*variables, _CONFIG_FILE_VARIABLE], listed=())
            raise ConfigError(f"unknown environment variable {variable}{hint}")
        section, name = variables[variable]
        yield _Given(section=section, name=name, text=environ[variable], origin=f"${variable}")


def _nearest(word: str, known: Iterable[str], listed: Iterable[str] | None = None) -> str:
    """Give the end of a line about an unknown `word`: the name it resembles, else the names there are."""
    close = difflib.get_close_matches(word, list(known), n=1)
    if close:
        return f"; did you mean {close[0]}?"
    names = ", ".join(known if listed is None else listed)
    return f"; there are: {names}" if names else ""


def _value(given: _Given) -> object:
    (option,) = (option for option in OPTIONS[given.section] if option.dest == given.name)
    try:
        value = option.type(given.text)
    except ValueError:
        value = None
    if value is None:  # oslo.config takes an empty text for a number that is not there
        raise _wrong_value(given, allowed(option), secret=option.secret)
    return value


def _set_logging_option(options: cfg.ConfigOpts, given: _Given) -> None:
    try:
        options.set_override(given.name, given.text)
    except ValueError as error:
        raise _wrong_value(given, str(error)) from None


def _wrong_value(given: _Given, expected: str, secret: bool = False) -> ConfigError:
    text = "***" if secret else repr(given.text)
    return ConfigError(f"{given.origin}: [{given.section}] {given.name} = {text} is not valid: {expected}")


def _settings(values: Mapping[tuple[str, str], object], environ: Mapping[str, str]) -> Settings:
    def section(name: str) -> dict[str, object]:
        return {option: value for (where, option), value in values.items() if where == name}

    default = section("DEFAULT")
    state_path = Path(str(default["state_path"] or _default_state_path(environ))).absolute()
    url = values["database", "url"] or embedded_url(state_path)
    return Settings(
        **{**default, "state_path": state_path},  # type: ignore[arg-type]
        database=DatabaseSettings(url=str(url)),
        agent=AgentSettings(**section("agent")),  # type: ignore[arg-type]
        events=EventSettings(**section("events")),  # type: ignore[arg-type]
        metrics=MetricsSettings(**section("metrics")),  # type: ignore[arg-type]
    )


def _default_state_path(environ: Mapping[str, str]) -> str:
    if environ.get(_STATE_DIRECTORY_VARIABLE):
        return environ[_STATE_DIRECTORY_VARIABLE].split(":")[0]  # systemd separates several by colons
    if os.geteuid() == 0:
        return "/var/lib/os-capability"
    base = environ.get("XDG_STATE_HOME") or Path(environ.get("HOME") or Path.home(), ".local", "state")
    return str(Path(base, "os-capability"))


def _refuse_incoherent(settings: Settings, origins: Mapping[tuple[str, str], str]) -> None:
    agent = settings.agent
    for name, least, reason in (
        ("full_interval", agent.refresh_interval, f"refresh_interval, which is {agent.refresh_interval}"),
        # With fewer than two heartbeats to miss, one that is late makes a host look dead (Nova's bug 1255685).
        ("down_after", agent.report_interval * 2.5, f"2.5 times report_interval, which is {agent.report_interval}"),
    ):
        if getattr(agent, name) < least:
            other = reason.partition(",")[0].split()[-1]
            origin = origins.get(("agent", name)) or origins[("agent", other)]
            raise ConfigError(f"{origin}: [agent] {name} = {getattr(agent, name)} is not valid: at least {reason}")
