# SPDX-License-Identifier: Apache-2.0
"""What is stored, and how the agent fares, as people and programs want to read it."""
