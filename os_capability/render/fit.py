# SPDX-License-Identifier: Apache-2.0
"""The answer to a demand: yes or no, then where, or what is lacking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from os_capability.document import to_document
from os_capability.insight.fit import Fit
from os_capability.insight.fitting.demand import Demand
from os_capability.insight.fitting.placement import NodeShare
from os_capability.insight.fitting.shortage import Shortage
from os_capability.insight.wording import counted, cpus_text
from os_capability.size import format_bytes

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
    """Give ``yes`` and what each node gives, or ``no`` and a line for each constraint that fails."""
    if fit.fits:
        return "\n".join(["yes", *(line for share in fit.nodes for line in _share(share, demand))])
    near = [] if fit.near_unknown is None else [f"near {demand.near_address}: {fit.near_unknown}"]
    return "\n".join(
        ["no", *near, *(_lack(shortage, demand) for shortage in fit.shortages), *_not_counted(fit, demand)]
    )


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


def _lack(shortage: Shortage, demand: Demand) -> str:
    beside = "" if shortage.alone else " beside the rest of the demand"
    needs = f"needs {_amount(shortage, shortage.needed, demand)}{beside}{_scope(demand)}"
    if shortage.short is None or shortage.free is None:
        tell = "does" if len(shortage.unknown_nodes) == 1 else "do"
        return f"{needs}: unknown: {_nodes(shortage.unknown_nodes)} {tell} not tell {_UNTOLD[shortage.constraint]}"
    has = "has" if len(shortage.nodes) == 1 else "have"
    return f"{needs}: {_nodes(shortage.nodes)} {has} {_bare(shortage, shortage.free)} free, {_short(shortage)} short"


def _amount(shortage: Shortage, number: int, demand: Demand) -> str:
    if shortage.constraint == "pcpus":
        return counted(number, "dedicated CPU") + _DEDICATED[demand.cpu_threads]
    if shortage.constraint == "vcpus":
        return counted(number, "shared CPU")
    if shortage.constraint == "hugepages":
        return f"{counted(number, 'huge page')} of {format_bytes(demand.hugepage_size_bytes)}"
    return f"{format_bytes(number)} of memory"


def _bare(shortage: Shortage, number: int) -> str:
    return format_bytes(number) if shortage.constraint == "memory_bytes" else str(number)


def _short(shortage: Shortage) -> str:
    return "unknown" if shortage.short is None else _bare(shortage, shortage.short)


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
