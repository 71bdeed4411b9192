# SPDX-License-Identifier: Apache-2.0
"""Settings from everything that somebody wrote, and from the defaults."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from oslo_config import cfg
from oslo_log import log as oslo_log

from host_agent.errors import ConfigError
from host_agent.options import OPTIONS, allowed, value_of, written
from host_agent.options.kinds import Parsed
from host_agent.settings.coherence import refuse_incoherent
from host_agent.settings.sections import (
    AgentSettings,
    ApiSettings,
    CapacitySettings,
    DatabaseSettings,
    EventSettings,
    KeystoneSettings,
    MetricsSettings,
    PlacementSettings,
    Settings,
    WorkloadSettings,
)
from host_agent.settings.sources import Given, all_given
from host_agent.settings.urls import embedded_url, hide_password

__all__ = ["Configuration", "load", "shown"]

_STATE_DIRECTORY_VARIABLE = "STATE_DIRECTORY"  # systemd's
# Nova has some of these in [DEFAULT].
_CAPACITY = frozenset(field.name for field in fields(CapacitySettings))


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


def load(
    config_files: Sequence[str] = (),
    database_url: str | None = None,
    environ: Mapping[str, str] | None = None,
    api_bind: str | None = None,
) -> Configuration:
    """Bring the command line, the environment, the files and the defaults together.

    Args:
        config_files: as given on the command line; the later file wins. Without any: ``$OS_CAPABILITY_CONFIG_FILE``,
            else `DEFAULT_CONFIG_FILE` where that exists.
        database_url: as given on the command line.
        environ: the environment, by default this process's.
        api_bind: as given on the command line.

    Raises:
        ConfigError: names the option, its value and what is allowed.
    """
    environ = os.environ if environ is None else environ
    logging_options = cfg.ConfigOpts()
    oslo_log.register_options(logging_options)
    known = {section: [option.dest for option in options] for section, options in OPTIONS.items()}
    known["DEFAULT"] += list(logging_options)

    values = {(section, option.dest): _default(option) for section, options in OPTIONS.items() for option in options}
    origins: dict[tuple[str, str], str] = {}
    for given in all_given(config_files, database_url, environ, known, api_bind):
        _refuse_what_is_no_text(given)
        key = (given.section, given.name)
        if key in values:
            values[key] = _value(given)
        else:
            _set_logging_option(logging_options, given)
        origins[key] = given.origin
    settings = _settings(values, environ)
    if values["DEFAULT", "state_path"] is None and environ.get(_STATE_DIRECTORY_VARIABLE):
        origins["DEFAULT", "state_path"] = f"${_STATE_DIRECTORY_VARIABLE}"
    refuse_incoherent(settings, origins)
    return Configuration(settings=settings, origins=origins, logging=logging_options)


def shown(configuration: Configuration) -> Iterator[tuple[str, str, str]]:
    """Give the name, the value and the origin of every setting in effect; secrets are hidden.

    Of oslo.log's options only those somebody gave.
    """
    settings, origins = configuration.settings, configuration.origins
    for section, options in OPTIONS.items():
        for option in options:
            value = _in_effect(settings, section, option.dest)
            yield f"[{section}] {option.dest}", _shown(option, value), origins.get((section, option.dest), "default")
    for (section, name), origin in origins.items():
        if name in configuration.logging:
            yield f"[{section}] {name}", str(configuration.logging[name]), origin


def _in_effect(settings: Settings, section: str, name: str) -> object:
    if section == "DEFAULT":
        return getattr(settings.capacity if name in _CAPACITY else settings, name)
    return getattr(settings.capacity if section == "compute" else getattr(settings, section), name)


def _shown(option: cfg.Opt, value: object) -> str:
    if value is None or (option.multi and value == ()):
        return str(option.sample_default)
    if option.secret:
        return hide_password(str(value)) if option.dest.endswith("url") else "***"
    return written(value)


def _default(option: cfg.Opt) -> object:
    if option.default is None:
        return () if option.multi else None
    return option.type(option.default)


def _refuse_what_is_no_text(given: Given) -> None:
    """Refuse what no database and no log could take: in the environment it may be any bytes."""
    try:
        given.text.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{given.origin}: [{given.section}] {given.name} is not UTF-8 text") from None
    if "\0" in given.text:
        raise ConfigError(f"{given.origin}: [{given.section}] {given.name} has a NUL in it")


def _value(given: Given) -> object:
    (option,) = (option for option in OPTIONS[given.section] if option.dest == given.name)
    try:
        return value_of(option, given.text)
    except ValueError as error:
        # Of what oslo.config says nobody could tell what is allowed.
        reason = f" ({error})" if isinstance(option.type, Parsed) else ""
        raise _wrong_value(given, allowed(option) + reason, secret=option.secret) from None


def _set_logging_option(options: cfg.ConfigOpts, given: Given) -> None:
    try:
        options.set_override(given.name, given.text)
    except ValueError as error:
        raise _wrong_value(given, str(error)) from None


def _wrong_value(given: Given, expected: str, secret: bool = False) -> ConfigError:
    text = "***" if secret else repr(given.text)
    return ConfigError(f"{given.origin}: [{given.section}] {given.name} = {text} is not valid: {expected}")


def _settings(values: Mapping[tuple[str, str], object], environ: Mapping[str, str]) -> Settings:
    def section(name: str) -> dict[str, object]:
        return {option: value for (where, option), value in values.items() if where == name}

    default = section("DEFAULT")
    offered = {name: default.pop(name) for name in _CAPACITY & default.keys()} | section("compute")
    state_path = Path(str(default["state_path"] or _default_state_path(environ))).absolute()
    url = values["database", "url"] or embedded_url(state_path)
    return Settings(
        **{**default, "state_path": state_path},  # type: ignore[arg-type]
        database=DatabaseSettings(url=str(url)),
        agent=AgentSettings(**section("agent")),  # type: ignore[arg-type]
        events=EventSettings(**section("events")),  # type: ignore[arg-type]
        metrics=MetricsSettings(**section("metrics")),  # type: ignore[arg-type]
        capacity=CapacitySettings(**offered),  # type: ignore[arg-type]
        workloads=WorkloadSettings(**section("workloads")),  # type: ignore[arg-type]
        placement=PlacementSettings(**section("placement")),  # type: ignore[arg-type]
        api=ApiSettings(**section("api")),  # type: ignore[arg-type]
        keystone_authtoken=KeystoneSettings(**section("keystone_authtoken")),  # type: ignore[arg-type]
    )


def _default_state_path(environ: Mapping[str, str]) -> str:
    if environ.get(_STATE_DIRECTORY_VARIABLE):
        return environ[_STATE_DIRECTORY_VARIABLE].split(":")[0]  # systemd separates several by colons
    if os.geteuid() == 0:
        return "/var/lib/os-capability"
    base = environ.get("XDG_STATE_HOME") or Path(environ.get("HOME") or Path.home(), ".local", "state")
    return str(Path(base, "os-capability"))
