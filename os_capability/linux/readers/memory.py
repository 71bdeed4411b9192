# SPDX-License-Identifier: Apache-2.0
"""Reads the memory: ``/proc/meminfo`` and the machine-wide huge page pools."""

from __future__ import annotations

from os_capability.errors import UnparsableText
from os_capability.linux import paths
from os_capability.linux.hugepages import default_pool, parse_pool_size
from os_capability.linux.meminfo import available_estimate, parse_memory
from os_capability.linux.sources import Sources
from os_capability.model import HugePages, Memory

__all__ = ["read_meminfo", "read_memory"]


def read_meminfo(sources: Sources) -> dict[str, int]:
    """Read the fields of ``/proc/meminfo`` that we use, in bytes; none where a captured machine lacks it.

    Raises:
        SourceUnreadable: this is the live machine and it could not be read.
        UnparsableText: this is the live machine and it made no sense.
    """
    text = sources.required(paths.MEMINFO)
    if text is None:
        return {}
    try:
        return parse_memory(text, sources.root.shown(paths.MEMINFO))
    except UnparsableText as error:
        sources.refuse(error)
        return {}


def read_memory(sources: Sources, meminfo: dict[str, int]) -> Memory:
    """Join the fields of ``/proc/meminfo`` with the huge page pools."""
    available, estimated = meminfo.get("MemAvailable"), False
    if available is None:
        available = available_estimate(meminfo, sources.count(paths.MIN_FREE_KBYTES)) if meminfo else None
        estimated = available is not None
    return Memory(
        total_bytes=meminfo.get("MemTotal"),
        free_bytes=meminfo.get("MemFree"),
        available_bytes=available,
        available_estimated=estimated,
        buffers_bytes=meminfo.get("Buffers"),
        cached_bytes=meminfo.get("Cached"),
        slab_reclaimable_bytes=meminfo.get("SReclaimable"),
        shmem_bytes=meminfo.get("Shmem"),
        swap_total_bytes=meminfo.get("SwapTotal"),
        swap_free_bytes=meminfo.get("SwapFree"),
        hugepages=_read_pools(sources, meminfo),
    )


def _read_pools(sources: Sources, meminfo: dict[str, int]) -> tuple[HugePages, ...] | None:
    """Read every size's pool; kernels before 2.6.27 tell of the default size only, in meminfo."""
    pools = []
    for folder in sources.entries(paths.HUGEPAGES) or ():
        size = parse_pool_size(folder)
        if size is not None:
            pools.append(
                HugePages(
                    size_bytes=size,
                    total=sources.count(f"{paths.HUGEPAGES}/{folder}/nr_hugepages"),
                    free=sources.count(f"{paths.HUGEPAGES}/{folder}/free_hugepages"),
                    reserved=sources.count(f"{paths.HUGEPAGES}/{folder}/resv_hugepages"),
                    surplus=sources.count(f"{paths.HUGEPAGES}/{folder}/surplus_hugepages"),
                )
            )
    if pools:
        return tuple(sorted(pools, key=lambda pool: pool.size_bytes))
    if not meminfo:
        return None
    default = default_pool(meminfo)
    return () if default is None else (default,)
