# SPDX-License-Identifier: Apache-2.0
"""Tests of the command and the daemon as processes of their own."""
