# SPDX-License-Identifier: Apache-2.0
"""What somebody wrote, and where: the command line, the environment, the files."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg

from host_agent.errors import ConfigError
from host_agent.options import OPTIONS
from host_agent.settings.urls import hide_password

__all__ = ["DEFAULT_CONFIG_FILE", "Given", "all_given"]

DEFAULT_CONFIG_FILE = "/etc/os-capability/host-agent.conf"

_PREFIX = "OS_CAPABILITY_"
_CONFIG_FILE_VARIABLE = "OS_CAPABILITY_CONFIG_FILE"
_DATABASE_URL_VARIABLE = "OS_CAPABILITY_DATABASE_URL"
# The test suite's own variables may stand in the same shell; they are no misspelt options.
_TEST_PREFIX = "OS_CAPABILITY_TEST_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The text of one option as somebody wrote it, and where."""

    section: str
    name: str
    text: str
    origin: str


def all_given(
    config_files: Sequence[str],
    database_url: str | None,
    environ: Mapping[str, str],
    known: Mapping[str, list[str]],
    api_bind: str | None = None,
) -> Iterable[Given]:
    """Give every option that somebody wrote, the one that decides last."""
    for path in config_files or _default_files(environ):
        yield from _in_file(path, known)
    yield from _in_environment(environ, known)
    if database_url is not None:
        yield Given(section="database", name="url", text=database_url, origin="--database-url")
    if api_bind is not None:
        yield Given(section="api", name="bind", text=api_bind, origin="--bind")


def _default_files(environ: Mapping[str, str]) -> list[str]:
    if _CONFIG_FILE_VARIABLE in environ:
        return [environ[_CONFIG_FILE_VARIABLE]]
    return [DEFAULT_CONFIG_FILE] if Path(DEFAULT_CONFIG_FILE).exists() else []


def _in_file(path: str, known: Mapping[str, list[str]]) -> Iterable[Given]:
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
            repeated = any(option.dest == name and option.multi for option in OPTIONS[section])
            yield Given(section=section, name=name, text=";".join(texts) if repeated else texts[-1], origin=path)


def _in_environment(environ: Mapping[str, str], known: Mapping[str, list[str]]) -> Iterable[Given]:
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
        yield Given(section=section, name=name, text=environ[variable], origin=f"${variable}")


def _nearest(word: str, known: Iterable[str], listed: Iterable[str] | None = None) -> str:
    """Give the end of a line about an unknown `word`: the name it resembles, else the names there are."""
    close = difflib.get_close_matches(word, list(known), n=1)
    if close:
        return f"; did you mean {close[0]}?"
    names = ", ".join(known if listed is None else listed)
    return f"; there are: {names}" if names else ""
