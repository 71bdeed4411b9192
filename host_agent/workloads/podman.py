# SPDX-License-Identifier: Apache-2.0
"""Podman, asked through the socket of its service, in Docker's language."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from host_agent.workloads.container_json import EngineInformation
from host_agent.workloads.socket_engine import SocketEngine

__all__ = ["PodmanEngine"]


class PodmanEngine(SocketEngine):
    """Podman's containers of one user."""

    name = "podman"
    way_to_start = "let its service listen (systemctl enable --now podman.socket)"

    def __init__(
        self,
        socket: str = "/run/podman/podman.sock",
        root: str = "/",
        *,
        data_directory: str = "/var/lib/containers/storage",
        **options: Any,
    ) -> None:
        super().__init__(socket, root, data_directory=data_directory, **options)

    def _is_itself(self, told: EngineInformation) -> bool:
        return told.is_podman

    def _has_containers(self, data_directory: Path) -> bool:
        # CRI-O has the same storage; a database of containers in it is Podman's alone.
        is_podmans = (data_directory / "libpod").exists() or (data_directory / "db.sql").exists()
        return is_podmans and any(entry.is_dir() for entry in data_directory.glob("*-containers/*"))

    def _runtimes(self, told: EngineInformation) -> tuple[str, ...] | None:
        # Podman 4.3 lists every runtime it has ever heard of, installed or not.
        return None if told.default_runtime is None else (told.default_runtime,)
