# SPDX-License-Identifier: Apache-2.0
"""Bringing Placement to what this host is: reads what stands there, writes what differs, and remembers it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from host_agent.report.placement.client import PlacementClient
from host_agent.report.placement.errors import ProviderMoves
from host_agent.report.placement.provider import (
    Inventory,
    Provider,
    Standing,
    inventories_to_put,
    leftovers,
    moved,
    traits_to_put,
)
from host_agent.report.placement.tree import abandoned, is_node_provider
from host_agent.report.placement.wanted_traits import custom_name

__all__ = ["Publication"]


class Publication:
    """This host's providers in Placement.

    Attributes:
        stuck: what is gone from the host and cannot go from Placement since allocations use it, a line each.
    """

    def __init__(self, client: PlacementClient) -> None:
        """Prepare; nothing is read yet.

        Args:
            client: the way to Placement.
        """
        self._client = client
        # As they were left; empty where that has to be read.
        self._standing: dict[str, Standing] = {}
        self._spelling: dict[str, str] = {}
        self._classes: set[str] = set()
        self.stuck: tuple[str, ...] = ()

    def forget(self) -> None:
        """Take nothing for known any more: the Placement that comes back may be another."""
        self._standing = {}
        self._spelling = {}
        self._classes = set()
        self._client.forget()

    def read_again(self) -> None:
        """Take what stands in Placement for unknown: somebody changed it."""
        self._standing = {}

    def is_untouched(self, host_uuid: str) -> bool:
        """Say whether every provider is as it was left: one request, whatever the number of providers."""
        now = self._client.tree(host_uuid)
        return all(
            uuid in now and (now[uuid].generation, now[uuid].name) == (left.generation, left.name)
            for uuid, left in self._standing.items()
        )

    def write(self, wanted: Sequence[Provider]) -> None:
        """Write what differs, in an order in which nothing is offered twice at any moment.

        Raises:
            PlacementConflict: another program changed something meanwhile; `read_again` and try again.
            PlacementError: Placement did not do it.
        """
        if not self._standing:
            self._read(wanted)
        given_up = abandoned(self._standing.values(), wanted)
        providers = (*wanted, *given_up)
        used = self._used(providers)
        self._refuse_moves(providers, used)
        for provider in wanted:
            if provider.uuid not in self._standing:
                self._standing[provider.uuid] = self._client.create(provider)
        self._learn_spelling(wanted)
        for provider in sorted(providers, key=self._is_only_growing):
            self._write_contents(provider, used.get(provider.uuid, frozenset()))
        for provider in wanted:
            if provider.name != self._standing[provider.uuid].name:
                self._rename(provider)
        for provider in given_up:
            self._remove(self._standing[provider.uuid])
        self.stuck = tuple(
            f"{name} of {self._standing[uuid].name!r} is gone and stays in Placement, all of it reserved, while "
            "allocations use it"
            for uuid, names in used.items()
            for name in sorted(names)
        )

    def _read(self, wanted: Sequence[Provider]) -> None:
        root, wanted_uuids = wanted[0], {provider.uuid for provider in wanted}
        self._standing = {
            provider.uuid: self._client.contents(provider)
            for provider in self._client.tree(root.uuid).values()
            if provider.uuid in wanted_uuids or is_node_provider(root.uuid, provider)
        }

    def _used(self, providers: Iterable[Provider]) -> Mapping[str, frozenset[str]]:
        """Give what is to go and is used, by the provider's uuid; asked only where something is to go."""
        found = {}
        for provider in providers:
            standing = self._standing.get(provider.uuid)
            going = frozenset() if standing is None else leftovers(standing, provider)
            if going:
                found[provider.uuid] = going & self._client.used(provider.uuid)
        return {uuid: names for uuid, names in found.items() if names}

    def _refuse_moves(self, providers: Sequence[Provider], used: Mapping[str, frozenset[str]]) -> None:
        """Do not offer anew, on another provider, what allocations hold on this one."""
        for name, holders in moved(self._standing, providers).items():
            for uuid in sorted(holders):
                if name in used.get(uuid, ()):
                    raise ProviderMoves(name, self._standing[uuid].name)

    def _is_only_growing(self, provider: Provider) -> bool:
        return not leftovers(self._standing[provider.uuid], provider)

    def _learn_spelling(self, wanted: Iterable[Provider]) -> None:
        """Find out what Placement calls each trait that it is to have and has not; make those it has no name for."""
        missing = {name for provider in wanted for name in provider.traits - self._standing[provider.uuid].traits}
        unknown = missing - self._spelling.keys()
        if not unknown:
            return
        known = self._client.known_traits(unknown)
        for name in sorted(unknown):
            if name not in known:
                self._client.make_trait(custom_name(name))
            self._spelling[name] = name if name in known else custom_name(name)

    def _write_contents(self, provider: Provider, used: frozenset[str]) -> None:
        # Traits first: a request that forbids one must not find the new inventory without it.
        traits = traits_to_put(self._standing[provider.uuid], provider, self._spelling)
        if traits is not None:
            standing = self._standing[provider.uuid]
            generation = self._client.put_traits(standing, traits)
            self._standing[provider.uuid] = replace(standing, traits=traits, generation=generation)
        inventories = inventories_to_put(self._standing[provider.uuid], provider, used)
        if inventories is not None:
            self._make_classes(inventories)
            standing = self._standing[provider.uuid]
            generation = self._client.put_inventories(standing, inventories)
            self._standing[provider.uuid] = replace(standing, inventories=inventories, generation=generation)

    def _make_classes(self, inventories: Mapping[str, Inventory]) -> None:
        for name in sorted(inventories):
            if name.startswith("CUSTOM_") and name not in self._classes:
                self._client.make_resource_class(name)
                self._classes.add(name)

    def _rename(self, provider: Provider) -> None:
        standing = self._standing[provider.uuid]
        renamed = self._client.rename(standing, provider.name)
        self._standing[provider.uuid] = replace(standing, name=renamed.name, generation=renamed.generation)

    def _remove(self, standing: Standing) -> None:
        """Remove a provider of a node, unless something in it is somebody else's, or in use."""
        if not standing.inventories and not standing.traits and self._client.delete(standing.uuid):
            del self._standing[standing.uuid]
