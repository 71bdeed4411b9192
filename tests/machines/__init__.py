# SPDX-License-Identifier: Apache-2.0
"""Invented machines: described once, written as the files a kernel would show and as the document they must give."""
