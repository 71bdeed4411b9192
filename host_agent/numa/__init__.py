# SPDX-License-Identifier: Apache-2.0
"""What is left on each NUMA node of a host: the value, its JSON, and whether a demand fits."""

from host_agent.numa.cell import NumaCell, PagePool
from host_agent.numa.host import HostNuma

__all__ = ["HostNuma", "NumaCell", "PagePool"]
