# SPDX-License-Identifier: Apache-2.0
"""What neither Nova nor Zun has: NUMA, usage, where something fits, what runs, what happened; all under ``/v1``."""
