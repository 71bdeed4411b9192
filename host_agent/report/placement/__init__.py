# SPDX-License-Identifier: Apache-2.0
"""This host in OpenStack's Placement: a provider with its inventories and traits, and nothing that others own."""

from host_agent.report.placement.reporter import PlacementReporter, Report
from host_agent.report.placement.session import is_on

__all__ = ["PlacementReporter", "Report", "is_on"]
