# SPDX-License-Identifier: Apache-2.0
"""Whole trees with something wrong in them: always a document or one of our errors, soon, and never a traceback."""
