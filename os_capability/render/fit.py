# SPDX-License-Identifier: Apache-2.0
"""The answer to a demand: yes, no or unknown, then where, or what is lacking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from os_capability.document import to_document
from os_capability.insight.fit import Fit
from os_capability.insight.fitting.demand import Demand
from os_capability.insight.fitting.placement import NodeShare
from os_capability.insight.fitting.shortage import Shortage
from os_capability.size import format_bytes
from os_capability.wording import counted, cpus_text

__all__ = ["fit_document", "render_fit"]

_DEDICATED = {
    "prefer": "",
    "require": ", on cores with two or more free",
    "isolate": ", each on a free core",
}

_UNTOLD = {
    "pcpus": "which CPUs share a core",
    "memory_bytes": "all of the free memory",
    "hugepages": "how many are free or reserved",
}


def fit_document(fit: Fit) -> dict[str, object]:
    """Give the answer as dicts, lists and scalars."""
    return {name: value for name, value in to_document(fit).items() if name != "schema"}


def render_fit(fit: Fit, demand: Demand) -> str:
    """Give ``yes`` and what each node gives, or ``no`` or ``unknown`` and a line for each constraint that fails."""
    return "\n".join([fit.answer, *(_given(fit, demand) if fit.fits else _lacking(fit, demand)), *fit.notes])


def _given(fit: Fit, demand: Demand) -> Iterator[str]:
    for share in fit.nodes:
        yield from _share(share, demand)


def _lacking(fit: Fit, demand: Demand) -> Iterator[str]:
    if fit.near_unknown is not None:
        yield f"near {demand.near_address}: {fit.near_unknown}"
    for shortage in fit.shortages:
        beside = "" if shortage.alone else " beside the rest of the demand"
        needed = f"needs {_amount(shortage, demand)}{beside}{_scope(demand)}"
        yield f"{needed}: {_lack(shortage, fit, demand)}"
    yield from _not_counted(fit, demand)


def _share(share: NodeShare, demand: Demand) -> Iterator[str]:
    memory = format_bytes(share.memory_bytes)
    if share.hugepages is not None:
        memory = f"{counted(share.hugepages, 'huge page')} of {format_bytes(demand.hugepage_size_bytes)}"
    parts = (
        ("dedicated CPUs", str(share.dedicated_cpus)),
        ("idle threads", str(share.idle_cpus)),
        ("shared CPUs", str(share.shared_cpus)),
        ("memory", memory if share.memory_bytes else ""),
    )
    given = [(name, text) for name, text in parts if text] or [("nothing", "")]
    for at, (name, text) in enumerate(given):
        node = f"node {share.node}" if at == 0 else ""
        yield f"{node:<10}{name:<16}{text}".rstrip()


def _lack(shortage: Shortage, fit: Fit, demand: Demand) -> str:
    nodes = _nodes(shortage.nodes)
    uncounted = shortage.constraint == "memory_bytes" and fit.nodeless_memory_bytes > 0
    if shortage.short is None or shortage.free is None:
        tell = "does" if len(shortage.unknown_nodes) == 1 else "do"
        if uncounted:
            return "unknown: this machine's nodes do not count all of its memory yet"
        return f"unknown: {_nodes(shortage.unknown_nodes)} {tell} not tell {_UNTOLD[shortage.constraint]}"
    if not shortage.nodes:
        size = format_bytes(demand.hugepage_size_bytes)
        return "no node has " + ("plain RAM" if shortage.constraint == "memory_bytes" else f"huge pages of {size}")
    has = f"{nodes} {'has' if len(shortage.nodes) == 1 else 'have'}{' at most' if uncounted else ''}"
    return f"{has} {_free(shortage, shortage.free)}, {_short(shortage)} short{_unshared(shortage)}"


def _free(shortage: Shortage, free: int) -> str:
    if shortage.constraint == "memory_bytes":
        return f"{format_bytes(free)} free"
    if shortage.constraint == "hugepages" and shortage.withheld:
        return f"{free + shortage.withheld} free, {shortage.withheld} of them reserved machine-wide"
    return f"{free} free"


def _unshared(shortage: Shortage) -> str:
    if shortage.constraint != "vcpus" or not shortage.withheld:
        return ""
    is_are = "is" if shortage.withheld == 1 else "are"
    return f" ({counted(shortage.withheld, 'isolated CPU')} {is_are} not shared)"


def _amount(shortage: Shortage, demand: Demand) -> str:
    if shortage.constraint == "pcpus":
        return counted(shortage.needed, "dedicated CPU") + _DEDICATED[demand.cpu_threads]
    if shortage.constraint == "vcpus":
        return counted(shortage.needed, "shared CPU")
    if shortage.constraint == "hugepages":
        return f"{counted(shortage.needed, 'huge page')} of {format_bytes(demand.hugepage_size_bytes)}"
    return f"{format_bytes(shortage.needed)} of memory"


def _short(shortage: Shortage) -> str:
    # Somebody will add just what is said here.
    is_size = shortage.constraint == "memory_bytes"
    return format_bytes(shortage.short, round_up=True) if is_size else str(shortage.short)


def _scope(demand: Demand) -> str:
    scope = "" if demand.numa_nodes is None else f" on at most {counted(demand.numa_nodes, 'node')}"
    return scope if demand.near is None else f"{scope} with that of {demand.near_address}"


def _nodes(ids: Sequence[int]) -> str:
    return f"node{'' if len(ids) == 1 else 's'} {', '.join(map(str, ids))}"


def _not_counted(fit: Fit, demand: Demand) -> Iterator[str]:
    if demand.memory_bytes:
        for memory in fit.left_out:
            kind = "memory of unknown kind" if memory.kind in (None, "unknown") else f"{memory.kind} memory"
            yield f"not counted: {format_bytes(memory.size_bytes)} of {kind} on node {memory.node}"
    if fit.unplaced_cpus and (demand.vcpus or demand.pcpus):
        yield f"not counted: {cpus_text(fit.unplaced_cpus)} in no NUMA node, or in several"
