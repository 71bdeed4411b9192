# SPDX-License-Identifier: Apache-2.0
"""Who may use the API: anybody on this machine, bearers of a token, or whom Keystone knows."""
