# SPDX-License-Identifier: Apache-2.0
"""What `os_capability.insight.diff` compares, part by part: each function compares an old and a new value."""
