# SPDX-License-Identifier: Apache-2.0
"""One module per command of ``host-agent``, or per family of them, loaded when it is asked for.

Each imports what it needs when it runs: help and wrong usage must not wait for a database layer.
"""
