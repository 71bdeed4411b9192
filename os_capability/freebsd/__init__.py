# SPDX-License-Identifier: Apache-2.0
"""FreeBSD: what ``sysctl`` and ``cpuset`` print in, frozen values out. The parsers are pure, the driver joins them."""
