# SPDX-License-Identifier: Apache-2.0
"""Runs tempest's own tests of what we serve, ``python -m tests.clients.tempest_suite``, and prints what became of each.

Where to is in the folder that $TEMPEST_CONFIG_DIR names.
"""

from __future__ import annotations

import json
import sys
import unittest
from typing import Any

_ADMIN = "tempest.api.compute.admin"
MODULES = (
    f"{_ADMIN}.test_hypervisor",
    f"{_ADMIN}.test_hypervisor_negative",
    f"{_ADMIN}.test_hosts",
    f"{_ADMIN}.test_hosts_negative",
    f"{_ADMIN}.test_aggregates_negative",
    f"{_ADMIN}.test_availability_zone",
    f"{_ADMIN}.test_availability_zone_negative",
    f"{_ADMIN}.test_services",
    f"{_ADMIN}.test_services_negative",
    f"{_ADMIN}.test_simple_tenant_usage_negative",
    "tempest.serial_tests.api.compute.admin.test_aggregates",
)


class Outcomes(unittest.TestResult):
    """Keeps what became of each test, by its name without module and id."""

    def __init__(self) -> None:
        super().__init__()
        self.passed: list[str] = []
        self.others: dict[str, str] = {}

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        self.passed.append(_name(test))

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        self.others[_name(test)] = self._exc_info_to_string(err, test)  # type: ignore[attr-defined]

    addError = addFailure  # noqa: N815

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        self.others[_name(test)] = reason


def _name(test: unittest.TestCase) -> str:
    """Give the last part of a test's id, ``test_it[id-0123...,negative]``, or all of one that is no test's."""
    return test.id().partition("[")[0].rpartition(".")[2]


if __name__ == "__main__":
    outcomes = Outcomes()
    unittest.defaultTestLoader.loadTestsFromNames(MODULES).run(outcomes)
    json.dump({"passed": outcomes.passed, "others": outcomes.others}, sys.stdout)
