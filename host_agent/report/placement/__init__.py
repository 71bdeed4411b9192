# SPDX-License-Identifier: Apache-2.0
"""This host in OpenStack's Placement: a provider with its inventories and traits, and nothing that others own."""

from host_agent.report.placement.reporter import PlacementReporter, Report

__all__ = ["PlacementReporter", "Report"]
