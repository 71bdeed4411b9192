# SPDX-License-Identifier: Apache-2.0
"""The rules of `os_capability.insight.check`, by what they look at: each finds its evidence in a `Host`."""
