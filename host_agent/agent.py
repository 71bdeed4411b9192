# SPDX-License-Identifier: Apache-2.0
"""The work of the daemon: a heartbeat, and the facts.

Nothing that fails outside (the machine's files, lscpu, the database) ends it: it says so once, keeps what it has, and
tries again at the next turn.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from host_agent.errors import HostAgentError
from host_agent.identity import LocalIdentity
from host_agent.log import Condition
from host_agent.notify import Notifier
from host_agent.record import compute_host
from host_agent.report.database import DatabaseReport
from host_agent.watch import HostWatch
from os_capability import Host, OsCapabilityError, __version__
from os_capability.model import HostWarning

__all__ = ["FACTS", "HEARTBEAT", "Agent"]

LOG = logging.getLogger(__name__)

HEARTBEAT = "heartbeat"
FACTS = "facts"


class Agent:
    """Two jobs that share one identity; each may be called again and again, whatever happened before."""

    def __init__(
        self, *, watch: HostWatch, identity: LocalIdentity, report: DatabaseReport, notifier: Notifier
    ) -> None:
        self.identity = identity
        self._watch = watch
        self._report = report
        self._notifier = notifier
        self._stuck = {name: Condition(LOG, f"the {name} job returned") for name in (HEARTBEAT, FACTS)}
        self._machine = Condition(LOG, "the machine can be read again")
        self._storing = Condition(LOG, "reports are stored again")
        self._failures: dict[str, str] = {}
        self._lock = threading.Lock()
        self._warnings: frozenset[HostWarning] = frozenset()

    def heartbeat(self) -> None:
        """Say in the database that this host is alive, whatever its facts do."""
        identity = self.identity.current()
        if identity is not None:  # a machine under a foreign root has no name before its first facts
            self._store(HEARTBEAT, lambda: self._report.heartbeat(identity))

    def facts(self) -> None:
        """Look at the machine and store what it can give; a look that fails leaves the stored row as it is."""
        host, trouble = None, None
        try:
            host = self._watch.look()
        except OsCapabilityError as error:
            trouble = f"cannot read this machine: {error}"
        self._machine.report(trouble)
        if host is None:
            self._tell()
            return
        self._mention(host.warnings)
        self._store(FACTS, lambda: self._report_facts(host))

    def stuck(self, name: str, is_stuck: bool) -> None:
        """Take note that a job did not return before its next turn, or that it returned."""
        if name in self._stuck:
            self._stuck[name].report(
                f"the {name} job still runs at its next turn: something hangs" if is_stuck else None
            )
            self._tell()

    def _report_facts(self, host: Host) -> None:
        self._report.facts(compute_host(host, self.identity.register(host.hostname), __version__))

    def _store(self, name: str, call: Callable[[], None]) -> None:
        failure = None
        try:
            call()
        except HostAgentError as error:
            failure = str(error)
        with self._lock:
            self._failures.pop(name, None)
            if failure is not None:
                self._failures[name] = failure
            # Both jobs meet the same database: one cause is one line.
            causes = "; ".join(sorted(set(self._failures.values())))
            self._storing.report(f"not stored: {causes}" if causes else None)
        self._tell()

    def _mention(self, warnings: Sequence[HostWarning]) -> None:
        """Log each warning about the facts when it comes up, and not again while it lasts."""
        for warning in warnings:
            if warning not in self._warnings:
                LOG.warning("%s: %s", warning.code, warning.message)
        self._warnings = frozenset(warnings)

    def _tell(self) -> None:
        conditions = [self._machine, self._storing, *self._stuck.values()]
        troubles = [condition.trouble for condition in conditions if condition.trouble is not None]
        self._notifier.status("; ".join(troubles) or "the row of this host is up to date")
