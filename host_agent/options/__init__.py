# SPDX-License-Identifier: Apache-2.0
"""Every option in one table: its section, name, type, default and meaning.

The settings (`host_agent.settings`), the sample file and the options' page (`host_agent.sample`) come from it.
"""

from __future__ import annotations

from collections.abc import Mapping

from oslo_config import cfg

from host_agent.options import agent, api, capacity, keystone, placement, workloads
from host_agent.options.kinds import allowed, value_of, written

__all__ = ["OPTIONS", "allowed", "value_of", "written"]

OPTIONS: Mapping[str, tuple[cfg.Opt, ...]] = {
    "DEFAULT": agent.IDENTITY + capacity.DEFAULT,
    **agent.SECTIONS,
    "compute": capacity.COMPUTE,
    "workloads": workloads.WORKLOADS,
    "placement": placement.PLACEMENT,
    "api": api.API,
    "keystone_authtoken": keystone.KEYSTONE,
}
