# SPDX-License-Identifier: Apache-2.0
"""macOS: what ``sysctl`` and ``vm_stat`` print in, frozen values out. The parsers are pure, the driver joins them."""
