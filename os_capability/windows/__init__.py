# SPDX-License-Identifier: Apache-2.0
"""Windows: what its API and registry give in, frozen values out.

`win32` is the only module that calls the system; the parsers are pure, the driver joins them.
"""
