# SPDX-License-Identifier: Apache-2.0
"""Any other system: what psutil can tell of it, and nothing else."""
