# SPDX-License-Identifier: Apache-2.0
"""One reader per part of the document: joins the machine's files with the pure parsers."""
