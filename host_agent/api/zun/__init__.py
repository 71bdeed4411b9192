# SPDX-License-Identifier: Apache-2.0
"""Zun's wire format, as its client knows it: ``/v1/hosts``."""
