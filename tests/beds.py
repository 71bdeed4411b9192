# SPDX-License-Identifier: Apache-2.0
"""What tests need beside Python: programs that `.ci/install-test-beds` installs, and a user's machine may lack."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

__all__ = ["absent"]


def absent(reason: str) -> NoReturn:
    """Leave a test out, saying why; where the beds have been installed on purpose, as in CI, fail it."""
    if os.environ.get("OS_CAPABILITY_TEST_BEDS") == "required":
        pytest.fail(reason)
    pytest.skip(reason)
