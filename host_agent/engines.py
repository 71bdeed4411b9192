# SPDX-License-Identifier: Apache-2.0
"""Which engines the settings want asked; the only place that chooses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from host_agent.options import OPTIONS
from host_agent.settings import Settings
from host_agent.workloads.cgroups import CgroupsEngine
from host_agent.workloads.discovery import DiskSpace
from host_agent.workloads.disk import measure
from host_agent.workloads.docker import DockerEngine
from host_agent.workloads.engine import ABSENT, UNREADABLE, Engine, EngineReport
from host_agent.workloads.libvirt import LibvirtEngine
from host_agent.workloads.podman import PodmanEngine
from host_agent.workloads.survey import Survey

__all__ = ["load_survey"]

_ENGINES: Mapping[str, Callable[[Settings], Engine]] = {
    "cgroups": lambda settings: CgroupsEngine(settings.agent.root),
    "docker": lambda settings: DockerEngine(settings.workloads.docker_socket, settings.agent.root),
    "libvirt": lambda settings: LibvirtEngine(settings.workloads.libvirt_uri, root=settings.agent.root),
    "podman": lambda settings: PodmanEngine(settings.workloads.podman_socket, settings.agent.root),
}
# Where the settings say that an engine is.
_PLACES = {"docker": "docker_socket", "libvirt": "libvirt_uri", "podman": "podman_socket"}
_USUAL_PLACES = {option.dest: option.default for option in OPTIONS["workloads"]}

# Where Nova and libvirt keep disks, unless the settings say otherwise; engines tell their own folders.
_USUAL_PATHS = ("/var/lib/nova/instances", "/var/lib/libvirt/images")
# Where an engine that is not there yet would keep them.
_STATE_PATHS = ("/var/lib", "/")


def load_survey(settings: Settings) -> Survey:
    """Make the survey that the settings want; nothing is asked yet."""
    root, own_paths = settings.agent.root, settings.capacity.instances_path

    def disk(paths: Sequence[str]) -> DiskSpace | None:
        if own_paths is not None:
            return measure(own_paths, root)
        return measure(paths, root) or next(filter(None, (measure([path], root) for path in _STATE_PATHS)), None)

    return Survey(
        [_engine(name, settings) for name in settings.workloads.engines],
        disk=disk,
        disk_paths=_USUAL_PATHS,
        time_limit_seconds=settings.workloads.time_limit,
    )


def _engine(name: str, settings: Settings) -> Engine:
    engine, option = _ENGINES[name](settings), _PLACES.get(name)
    place = None if option is None else getattr(settings.workloads, option)
    return engine if option is None or place == _USUAL_PLACES[option] else _Expected(engine, f"{option} = {place}")


class _Expected:
    """An engine that an operator has named the place of: that it is not there is no "there is none on this host"."""

    def __init__(self, engine: Engine, setting: str) -> None:
        self._engine = engine
        self._setting = setting

    @property
    def name(self) -> str:
        """The engine's name."""
        return self._engine.name

    def look(self) -> EngineReport:
        """Ask it; absent is unreadable."""
        report = self._engine.look()
        if report.status != ABSENT:
            return report
        reason = f"[workloads] {self._setting}: nothing is there: mend the setting, or start {self.name}"
        return replace(report, status=UNREADABLE, reason=reason, lists_stopped=False)
