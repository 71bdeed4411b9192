# SPDX-License-Identifier: Apache-2.0
"""Where a record goes: the database today."""
