# SPDX-License-Identifier: Apache-2.0
"""What the facts mean: pure functions from a `Host` to answers."""
