# SPDX-License-Identifier: Apache-2.0
"""What every driver's refresh says of a machine whose shape moved since the reading before."""

from __future__ import annotations

from dataclasses import replace

from os_capability.model import Host, HostWarning

__all__ = ["with_changes_told"]


def with_changes_told(before: Host, now: Host) -> Host:
    """Give `now` with a warning ``topology-changed`` for every CPU, node and huge page pool that moved."""
    from os_capability.insight.diff import topology_changes  # showing a machine does not need it

    told = [HostWarning(code="topology-changed", message=change.message) for change in topology_changes(before, now)]
    return replace(now, warnings=(*now.warnings, *told)) if told else now
