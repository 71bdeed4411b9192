# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with Placement; each text is one line that names what, where and what to do."""

from __future__ import annotations

from host_agent.errors import HostAgentError

__all__ = [
    "NotPlacement",
    "PlacementConflict",
    "PlacementError",
    "PlacementRefused",
    "PlacementUnreachable",
    "ProviderMoves",
    "ProviderNameTaken",
]


class PlacementError(HostAgentError):
    """Base of what Placement, or Keystone before it, did not do."""


class PlacementUnreachable(PlacementError):
    """Nobody answers, or not in time, or not as who they are to be."""

    def __init__(self, who: str, url: str, reason: str, advice: str) -> None:
        super().__init__(f"{who} at {url}: {reason}: {advice}")


class NotPlacement(PlacementError):
    """Somebody answers who is no Placement, or none that this program can speak with."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url}: {reason}: correct [placement] url")


class PlacementRefused(PlacementError):
    """Placement, or Keystone, works and refuses the request."""


class PlacementConflict(PlacementError):
    """Somebody else changed what was to be changed, since it was read: reading it again may help at once."""


class ProviderNameTaken(PlacementRefused):
    """Another provider has the name that this host's is to have."""

    def __init__(self, name: str, uuid: str) -> None:
        super().__init__(
            f"Placement has a resource provider {name!r} whose uuid is not this host's, {uuid}: if nobody uses it "
            "any more, `openstack resource provider delete` it; if it is this host's own, give the host its uuid by "
            "`host-agent identity adopt`"
        )
        self.name = name


class ProviderMoves(PlacementRefused):
    """What allocations use was to go to another provider of this host, where they would not follow."""

    def __init__(self, resource_class: str, provider: str) -> None:
        super().__init__(
            f"allocations use {resource_class} of {provider!r} in Placement, which is to go to other providers of this "
            "host: empty the host first, or set numa_nodes of [placement] as it was"
        )
