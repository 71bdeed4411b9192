# SPDX-License-Identifier: Apache-2.0
"""Which traits a provider is to have, and which of those it has are this agent's to take away. Pure.

This agent decides on the traits that the library can read off a machine, and on the custom ones it makes where
Placement is too old to know the standard name. A name tells whose a trait is, so that nothing has to be remembered:
``COMPUTE_*``, ``OWNER_*``, ``CUSTOM_GOLD`` and the like stay, after a restart and after a lost state directory as well.
"""

from __future__ import annotations

from collections.abc import Iterable

from os_capability import Host
from os_capability.insight.traits import TRAITS, traits

__all__ = ["NUMA_ROOT", "custom_name", "decided_traits", "host_traits", "with_custom_names"]

NUMA_ROOT = "HW_NUMA_ROOT"


def custom_name(trait: str) -> str:
    """Give the name by which a standard trait goes where Placement does not know it."""
    return f"CUSTOM_{trait}"


def with_custom_names(names: Iterable[str]) -> frozenset[str]:
    """Give the names, and those by which they go where Placement does not know them."""
    return frozenset(spelling for name in names for spelling in (name, custom_name(name)))


def host_traits(host: Host, *, is_numa_root: bool) -> frozenset[str]:
    """Give the traits of the host's own provider.

    Args:
        host: the facts.
        is_numa_root: whether what is placed on that provider lies in one NUMA node, whichever way.
    """
    return frozenset(traits(host)) - (frozenset() if is_numa_root else {NUMA_ROOT})


def decided_traits(host: Host) -> frozenset[str]:
    """Give those traits of which the facts say whether the host has them: an unknown one is not to be taken away."""
    cpu = host.cpu
    is_known = {
        "HW_ARCH_": host.system.architecture is not None,
        "HW_CPU_HYPERTHREADING": cpu.smt.active is not None or cpu.cores is not None,
        "HW_CPU_PPC64LE_": cpu.model is not None,
        "HW_CPU_": cpu.flags is not None,
        "HW_NIC_": host.pci is not None,
        NUMA_ROOT: True,
    }
    return with_custom_names(
        name for name in TRAITS if next(known for prefix, known in is_known.items() if name.startswith(prefix))
    )
