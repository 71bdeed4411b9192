# SPDX-License-Identifier: Apache-2.0
"""The frozen `Settings`, which everything gets as an argument.

An option is given on the command line, in the environment, in a file or not at all; the first of these that has it
decides.
"""

from host_agent.settings.loading import Configuration, load, shown
from host_agent.settings.sections import (
    AgentSettings,
    ApiSettings,
    CapacitySettings,
    DatabaseSettings,
    EventSettings,
    KeystoneSettings,
    MetricsSettings,
    PlacementSettings,
    Settings,
    WorkloadSettings,
)
from host_agent.settings.sources import DEFAULT_CONFIG_FILE
from host_agent.settings.urls import DATABASE_FILE, embedded_url, hide_password

__all__ = [
    "DATABASE_FILE",
    "DEFAULT_CONFIG_FILE",
    "AgentSettings",
    "ApiSettings",
    "CapacitySettings",
    "Configuration",
    "DatabaseSettings",
    "EventSettings",
    "KeystoneSettings",
    "MetricsSettings",
    "PlacementSettings",
    "Settings",
    "WorkloadSettings",
    "embedded_url",
    "hide_password",
    "load",
    "shown",
]
