# SPDX-License-Identifier: Apache-2.0
"""Options of the look at what runs here; docs/workloads.md explains them."""

from __future__ import annotations

from oslo_config import cfg

from host_agent.options.kinds import ABSOLUTE_PATH, SOME_TEXT, Parsed
from host_agent.options.lists import engines

__all__ = ["WORKLOADS"]

_ENGINES = ("docker", "podman", "libvirt", "cgroups")

WORKLOADS: tuple[cfg.Opt, ...] = (
    cfg.Opt(
        "engines",
        type=Parsed(engines(_ENGINES), f"{', '.join(_ENGINES)}, several separated by commas, or none"),
        default=",".join(_ENGINES),
        help="Who is asked what runs here. What is not on this host is passed over; cgroups reads the control groups "
        "of those that cannot be asked.",
    ),
    cfg.StrOpt(
        "docker_socket",
        default="/run/docker.sock",
        regex=ABSOLUTE_PATH,
        help="Where Docker listens. The agent's user needs the group of this socket.",
    ),
    cfg.StrOpt(
        "podman_socket",
        default="/run/podman/podman.sock",
        regex=ABSOLUTE_PATH,
        help="Where Podman's service listens (podman.socket of systemd).",
    ),
    cfg.StrOpt(
        "libvirt_uri",
        default="qemu:///system",
        regex=SOME_TEXT,
        help="The connection that libvirt is asked over, read-only.",
    ),
    cfg.FloatOpt(
        "time_limit",
        default=2.0,
        min=0.1,
        max=60.0,
        help="Seconds that each engine has to answer. What it told last stands until it answers again, with its age.",
    ),
)
