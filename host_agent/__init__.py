# SPDX-License-Identifier: Apache-2.0
"""The agent of one host: reads the machine with `os_capability`, keeps its row in the database, says that it lives."""
