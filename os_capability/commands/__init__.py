# SPDX-License-Identifier: Apache-2.0
"""One module per command of ``os-capability``, loaded when it is asked for: `run` gives the answer to print."""
