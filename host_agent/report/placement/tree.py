# SPDX-License-Identifier: Apache-2.0
"""The resource providers that this host is to be. Pure.

One for the host; where NUMA nodes are wanted, one for each of them below it, named and laid out as Nova's
specification numa-topology-with-rps has them.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping

from host_agent.capacity import DISK_GB
from host_agent.report.placement.inventory import HostAmounts, of_nodes, of_root
from host_agent.report.placement.provider import Inventory, Provider, Standing
from host_agent.report.placement.wanted_traits import NUMA_ROOT, decided_traits, host_traits, with_custom_names
from os_capability import Host
from os_capability.model import NumaNode

__all__ = ["abandoned", "host_tree", "is_node_provider", "node_uuid"]

_NODE_NAME = re.compile(r"_NUMA(\d{1,5})$", re.ASCII)


def host_tree(host: Host, amounts: HostAmounts, *, host_uuid: str, name: str, numa_nodes: bool) -> tuple[Provider, ...]:
    """Give the providers of a host, itself first; of what is not known Placement keeps what it has.

    Args:
        host: the facts.
        amounts: what of it workloads may use.
        host_uuid: the host's, and its provider's.
        name: the same.
        numa_nodes: whether each NUMA node is a provider of its own.
    """
    # A machine that tells of no nodes has one that was made up.
    nodes = host.numa.nodes if numa_nodes and not host.numa.synthetic else ()
    classes = frozenset(amounts.inventories)
    if host.pci is not None:
        classes |= frozenset(amounts.device_classes.values())
    shares = of_nodes(nodes, amounts)
    root = Provider(
        uuid=host_uuid,
        name=name,
        inventories=of_root(shares, nodes, amounts),
        classes=classes,
        traits=host_traits(host, is_numa_root=not nodes and len(host.numa.nodes) == 1),
        decided_traits=decided_traits(host),
    )
    return (root, *(_child(host_uuid, name, node, shares[node.id], classes) for node in nodes))


def node_uuid(host_uuid: str, node: int) -> str:
    """Give the uuid of the provider of a NUMA node: the same at each start, and on no other host."""
    return str(uuid.uuid5(uuid.UUID(host_uuid), f"NUMA{node}"))


def is_node_provider(host_uuid: str, provider: Standing) -> bool:
    """Say whether this agent made a provider for a node of this host, whatever the host was called then."""
    found = _NODE_NAME.search(provider.name)
    return found is not None and provider.uuid == node_uuid(host_uuid, int(found[1]))


def abandoned(standing: Iterable[Standing], wanted: Iterable[Provider]) -> tuple[Provider, ...]:
    """Give those that this agent made for nodes which are to be no providers any more, with nothing in them."""
    root, *children = wanted
    stays = {child.uuid for child in children}
    return tuple(
        Provider(
            uuid=provider.uuid,
            name=provider.name,
            parent_uuid=root.uuid,
            classes=root.classes - {DISK_GB},
            decided_traits=with_custom_names({NUMA_ROOT}),
        )
        for provider in standing
        if provider.uuid not in stays and is_node_provider(root.uuid, provider)
    )


def _child(
    host_uuid: str, name: str, node: NumaNode, inventories: Mapping[str, Inventory], classes: frozenset[str]
) -> Provider:
    return Provider(
        uuid=node_uuid(host_uuid, node.id),
        name=f"{name}_NUMA{node.id}",
        parent_uuid=host_uuid,
        inventories=inventories,
        classes=classes - {DISK_GB},
        traits=frozenset({NUMA_ROOT}),
        decided_traits=with_custom_names({NUMA_ROOT}),
    )
