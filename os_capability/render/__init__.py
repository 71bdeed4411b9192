# SPDX-License-Identifier: Apache-2.0
"""The facts as people want to see them: pure functions from a `Host` to text."""
