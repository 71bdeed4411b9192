# SPDX-License-Identifier: Apache-2.0
"""What Docker and Podman have in common: an engine of containers that answers at a socket in Docker's language."""

from __future__ import annotations

import abc
import time
from collections.abc import Callable
from pathlib import Path

from host_agent.workloads.container_json import EngineInformation, has_disk_quota
from host_agent.workloads.containers import Containers, information
from host_agent.workloads.disk import mounts, under_root
from host_agent.workloads.engine import ABSENT, ANSWERED, UNREADABLE, EngineReport
from host_agent.workloads.mounts import holding
from host_agent.workloads.unix_http import NobodyListens, SocketAbsent, SocketForbidden, UnixHttp, UnixHttpError
from host_agent.workloads.workload import Workload

__all__ = ["SocketEngine"]


class SocketEngine(abc.ABC):
    """An engine's containers, running and stopped, with their limits.

    Attributes:
        name: the engine's.
        way_to_start: what to do where nobody listens.
    """

    name: str
    way_to_start: str

    def __init__(
        self,
        socket: str,
        root: str = "/",
        *,
        data_directory: str,
        time_limit_seconds: float = 10.0,
        refresh_limits_seconds: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            socket: as the host names it.
            root: where the host's tree lies.
            data_directory: where the engine keeps its containers, until it says so itself.
            time_limit_seconds: for each of its answers.
            refresh_limits_seconds: how old may be what is remembered of a container's limits, which ``docker update``
                changes, and of the engine, which starts programs to tell of itself.
            clock: seconds that never go back.
        """
        self._socket = str(Path(root, socket.lstrip("/")))
        self._root = root
        self._data_directory = data_directory
        self._time_limit = time_limit_seconds
        self._refresh_limits = refresh_limits_seconds
        self._clock = clock
        self._containers = Containers(self.name)
        self._told: EngineInformation | None = None
        self._told_at = self._refreshed_at = clock()

    def look(self) -> EngineReport:
        """Ask it what it runs; what goes wrong is in the answer, never raised."""
        try:
            with UnixHttp(self._socket, time_limit_seconds=self._time_limit) as http:
                told = self._information(http)
                if not self._is_itself(told):
                    return EngineReport(engine=self.name, status=ABSENT)
                return self._answered(told, self._containers.look(http))
        except UnixHttpError as error:
            self._told = None  # it may come back as another version
            is_absent = isinstance(error, SocketAbsent) and not self._left_containers()
            return EngineReport(engine=self.name, status=ABSENT) if is_absent else self._unreadable(error)

    @abc.abstractmethod
    def _is_itself(self, told: EngineInformation) -> bool:
        """Tell whether it is this engine that answers."""

    @abc.abstractmethod
    def _has_containers(self, data_directory: Path) -> bool:
        """Tell whether there may be containers, although there is no socket.

        Raises:
            OSError: the folder is not there, or cannot be read as it should.
        """

    @abc.abstractmethod
    def _runtimes(self, told: EngineInformation) -> tuple[str, ...] | None:
        """Give what it can run a container with."""

    def _information(self, http: UnixHttp) -> EngineInformation:
        now = self._clock()
        # A few at each look: to inspect hundreds at once would take Podman longer than it is waited for.
        share = (now - self._refreshed_at) / self._refresh_limits if self._refresh_limits else 1.0
        self._refreshed_at += self._containers.forget(share) * self._refresh_limits
        if self._told is None or now - self._told_at >= self._refresh_limits:
            self._told, self._told_at = information(http), now
            self._data_directory = self._told.root_directory or self._data_directory
        return self._told

    def _answered(self, told: EngineInformation, workloads: tuple[Workload, ...]) -> EngineReport:
        return EngineReport(
            engine=self.name,
            status=ANSWERED,
            workloads=workloads,
            runtimes=self._runtimes(told),
            labels=told.labels,
            storage_driver=told.storage_driver,
            disk_quota_supported=self._has_disk_quota(told),
            root_directory=told.root_directory,
            hypervisor_type=self.name,
            hypervisor_version=told.version,
        )

    def _unreadable(self, error: UnixHttpError) -> EngineReport:
        match error:
            case SocketAbsent():
                advice = f"there may be containers of {self.name}: {self.way_to_start}"
            case SocketForbidden():
                advice = "let this user into the socket's group, as systemd/engines.conf shows"
            case NobodyListens():
                advice = self.way_to_start
            case _:
                advice = f"see the log of {self.name}"
        return EngineReport(engine=self.name, status=UNREADABLE, reason=f"{error}: {advice}")

    def _left_containers(self) -> bool:
        place = under_root(self._data_directory, self._root)
        try:
            return place is not None and self._has_containers(place)
        except OSError:
            return False

    def _has_disk_quota(self, told: EngineInformation) -> bool | None:
        options: frozenset[str] = frozenset()
        if told.backing_filesystem == "xfs" and told.root_directory is not None:
            place = under_root(told.root_directory, self._root)
            mount = None if place is None else holding(mounts(), str(place))
            options = frozenset() if mount is None or mount.type != "xfs" else mount.options
        return has_disk_quota(told.storage_driver, told.backing_filesystem, options)
