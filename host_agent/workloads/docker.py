# SPDX-License-Identifier: Apache-2.0
"""Docker, asked through its socket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from host_agent.workloads.container_json import EngineInformation
from host_agent.workloads.socket_engine import SocketEngine

__all__ = ["DockerEngine"]


class DockerEngine(SocketEngine):
    """Docker's containers."""

    name = "docker"
    way_to_start = "start it (systemctl start docker)"

    def __init__(
        self,
        socket: str = "/run/docker.sock",
        root: str = "/",
        *,
        data_directory: str = "/var/lib/docker",
        **options: Any,
    ) -> None:
        super().__init__(socket, root, data_directory=data_directory, **options)

    def _is_itself(self, told: EngineInformation) -> bool:
        # Podman's package puts a link to its own socket where programs look for Docker's.
        return not told.is_podman

    def _has_containers(self, data_directory: Path) -> bool:
        try:
            return any((data_directory / "containers").iterdir())
        except PermissionError:  # root's alone, as Docker makes it
            return True

    def _runtimes(self, told: EngineInformation) -> tuple[str, ...] | None:
        return told.runtimes
