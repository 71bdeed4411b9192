# SPDX-License-Identifier: Apache-2.0
"""The daemon's log, through oslo.log; and lines that are written when something changes, not at every cycle."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping

from oslo_config import cfg
from oslo_log import log as oslo_log

from host_agent.errors import ConfigError

__all__ = ["Condition", "set_up"]


def set_up(options: cfg.ConfigOpts, version: str, environ: Mapping[str, str] | None = None) -> None:
    """Start logging as oslo.log's own options say; without any, to standard error.

    Raises:
        ConfigError: a file that those options name is not usable.
    """
    environ = os.environ if environ is None else environ
    to_file = options.log_file or options.log_dir
    options.set_default("use_stderr", not (to_file or options.use_journal or options.use_syslog))
    # The journal stamps each line itself; a terminal or a file does not.
    stamp = "" if "JOURNAL_STREAM" in environ and not to_file else "%(asctime)s.%(msecs)03d "
    options.set_default("logging_default_format_string", stamp + "%(levelname)s %(name)s: %(message)s")
    # APScheduler tells of every run at INFO, and at WARNING of every run it skips; `Schedule` says the latter once.
    options.set_default("default_log_levels", [*options.default_log_levels, "apscheduler=ERROR", "alembic=WARNING"])
    try:
        oslo_log.setup(options, "host-agent", version)
    except (OSError, oslo_log.LogConfigError) as error:
        raise ConfigError(f"the log cannot be written as configured: {error}") from None


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
