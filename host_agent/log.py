# SPDX-License-Identifier: Apache-2.0
"""The daemon's log, through oslo.log; and lines that are written when something changes, not at every cycle."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Mapping
from datetime import datetime, timezone

from oslo_config import cfg
from oslo_log import log as oslo_log

from host_agent.errors import ConfigError

__all__ = ["Condition", "name_host", "set_up"]


def set_up(options: cfg.ConfigOpts, version: str, environ: Mapping[str, str] | None = None) -> None:
    """Start logging as oslo.log's own options say; without any, to standard error.

    Raises:
        ConfigError: a file that those options name is not usable.
    """
    to_file = options.log_file or options.log_dir
    options.set_default("use_stderr", not (to_file or options.use_journal or options.use_syslog))
    is_journal = _is_journal(os.environ if environ is None else environ)
    # The journal stamps each line itself; a terminal or a file does not.
    stamp = "" if is_journal and not to_file else "%(asctime)s.%(msecs)03d "
    # The second is of lines that know their request: they name it themselves.
    for name in ("logging_default_format_string", "logging_context_format_string"):
        options.set_default(name, stamp + "%(levelname)s %(name)s: %(message)s")
    # APScheduler tells of every run at INFO, and at WARNING of every run it skips; `Schedule` says the latter once.
    # psycopg warns of each batch that the server refused, beside the error it raises.
    levels = ("apscheduler=ERROR", "alembic=WARNING", "psycopg=ERROR")
    options.set_default("default_log_levels", [*options.default_log_levels, *levels])
    try:
        oslo_log.setup(options, "host-agent", version)
    except (OSError, oslo_log.LogConfigError) as error:
        raise ConfigError(f"the log cannot be written as configured: {error}") from None
    if options.log_config_append:
        return  # a file of logging's own, which decides everything
    for handler in logging.getLogger().handlers:
        if options.use_json:
            handler.setFormatter(_JsonFormatter())
        if is_journal and isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr:
            handler.setFormatter(_JournalFormatter(handler.formatter))


def name_host(uuid: str) -> None:
    """Put the host's uuid into every line in JSON from now on."""
    _JsonFormatter.host_uuid = uuid


def _is_journal(environ: Mapping[str, str]) -> bool:
    """Tell whether standard error is the journal: a child inherits the variable, also where its own error is a file."""
    try:
        stat = os.fstat(sys.stderr.fileno())
    except (AttributeError, OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"


class _JsonFormatter(logging.Formatter):
    """One object a line. That of oslo.log has no time zone, and tells the same three times."""

    host_uuid: str | None = None

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        line = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "host_uuid": self.host_uuid,
            "thread": record.threadName,
            "pid": record.process,
        }
        request_id = getattr(record, "request_id", None)
        if request_id is not None:
            line["request_id"] = request_id
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class _JournalFormatter(logging.Formatter):
    """Puts before each line what gives it its priority in the journal, see sd-daemon(3)."""

    def __init__(self, formatter: logging.Formatter | None) -> None:
        super().__init__()
        self._formatter = formatter or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        level = next((number for least, number in _PRIORITIES if record.levelno >= least), 7)
        return "\n".join(f"<{level}>{line}" for line in self._formatter.format(record).split("\n"))


_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


class Condition:
    """Something that is well or in trouble: says so when that changes, and only then."""

    def __init__(self, log: logging.Logger, well: str) -> None:
        """Begin well.

        Args:
            log: where the lines go.
            well: the line for the end of a trouble.
        """
        self._log = log
        self._well = well
        self._lock = threading.Lock()
        self.trouble: str | None = None

    def report(self, trouble: str | None) -> None:
        """Take the state of this moment: the line that tells the trouble, or ``None``.

        To be called outside of the ``except`` block: inside, oslo.log adds the exception to the line once more.
        """
        with self._lock:
            before, self.trouble = self.trouble, trouble
        if trouble is not None and trouble != before:
            self._log.warning("%s", trouble)
        elif trouble is None and before is not None:
            self._log.info("%s", self._well)
