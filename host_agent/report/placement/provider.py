# SPDX-License-Identifier: Apache-2.0
"""Resource providers: as this host's are to be, as they stand in Placement, and what differs. Pure values.

Source: Placement's API reference; its limits are those of placement/schemas.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

__all__ = ["Inventory", "Provider", "Standing", "blocked", "inventories_to_put", "leftovers", "moved", "traits_to_put"]

# Of every number in an inventory. A disk may well have more: Amazon's EFS says it had 8 EiB.
_MOST = 2**31 - 1
# MySQL keeps the ratio as a float of 32 bits, which has seven digits, and shows six of them.
_RATIO_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """How much of one resource class a provider has.

    Attributes:
        total: in the unit of the class: CPUs, MiB, GiB, devices.
        reserved: what of it is not for allocations; at most `total`.
        allocation_ratio: how many times what is not reserved may be allocated.
        min_unit, max_unit, step_size: what one allocation may ask for.
    """

    total: int
    reserved: int = 0
    allocation_ratio: float = 1.0
    min_unit: int = 1
    max_unit: int = 1
    step_size: int = 1

    @classmethod
    def of(cls, total: int, reserved: int = 0, allocation_ratio: float = 1.0) -> Inventory:
        """Give the inventory of which one allocation may take all; reserved as far as there is any."""
        total = min(total, _MOST)
        return cls(
            total=total, reserved=min(reserved, total), allocation_ratio=allocation_ratio, max_unit=max(total, 1)
        )

    @classmethod
    def from_json(cls, data: Mapping[str, float]) -> Inventory:
        """Read what Placement gave.

        Raises:
            KeyError, TypeError, ValueError: it is no inventory.
        """
        return cls(
            total=int(data["total"]),
            reserved=int(data["reserved"]),
            allocation_ratio=float(data["allocation_ratio"]),
            min_unit=int(data["min_unit"]),
            max_unit=int(data["max_unit"]),
            step_size=int(data["step_size"]),
        )

    def to_json(self) -> dict[str, float]:
        """Give it as Placement takes it."""
        return {
            "total": self.total,
            "reserved": self.reserved,
            "allocation_ratio": self.allocation_ratio,
            "min_unit": self.min_unit,
            "max_unit": self.max_unit,
            "step_size": self.step_size,
        }

    def is_like(self, other: Inventory | None) -> bool:
        """Say whether Placement would show both as the same."""
        return (
            other is not None
            and math.isclose(self.allocation_ratio, other.allocation_ratio, rel_tol=_RATIO_TOLERANCE)
            and replace(self, allocation_ratio=1.0) == replace(other, allocation_ratio=1.0)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One resource provider as it is to be.

    Attributes:
        uuid, name: its own.
        parent_uuid: that of the provider it is a part of; ``None`` for the host itself.
        inventories: by resource class.
        classes: those this agent decides on here; one that is not among `inventories` is to go. Others stay.
        traits: those it has of the ones this agent decides on, by their standard names.
        decided_traits: all that this agent decides on; one that is not among `traits` is to go. Others stay.
    """

    uuid: str
    name: str
    parent_uuid: str | None = None
    inventories: Mapping[str, Inventory] = field(default_factory=dict, hash=False)
    classes: frozenset[str] = frozenset()
    traits: frozenset[str] = frozenset()
    decided_traits: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One resource provider as Placement has it.

    Attributes:
        uuid, name: its own.
        generation: changes with every change of its inventories, traits, aggregates and allocations.
        inventories: by resource class.
        traits: all of them.
    """

    uuid: str
    name: str
    generation: int
    inventories: Mapping[str, Inventory] = field(default_factory=dict, hash=False)
    traits: frozenset[str] = frozenset()


def leftovers(standing: Standing, wanted: Provider) -> frozenset[str]:
    """Give the resource classes that are to go; those that allocations use cannot."""
    return wanted.classes.intersection(standing.inventories) - wanted.inventories.keys()


def blocked(inventory: Inventory) -> Inventory:
    """Give the inventory of what is gone and still allocated: all reserved, so that nothing more is placed on it."""
    return replace(inventory, reserved=inventory.total)


def inventories_to_put(
    standing: Standing, wanted: Provider, used: Iterable[str] = ()
) -> Mapping[str, Inventory] | None:
    """Give all inventories that the provider is to have; ``None`` where it has them.

    Args:
        standing: what Placement has.
        wanted: what it is to have.
        used: those of the `leftovers` that allocations use.
    """
    kept = {name: inventory for name, inventory in standing.inventories.items() if name not in wanted.classes}
    stuck = {name: blocked(standing.inventories[name]) for name in used}
    target = {**kept, **stuck, **wanted.inventories}
    if target.keys() == standing.inventories.keys() and all(
        inventory.is_like(standing.inventories[name]) for name, inventory in target.items()
    ):
        return None
    return target


def traits_to_put(standing: Standing, wanted: Provider, spelling: Mapping[str, str]) -> frozenset[str] | None:
    """Give all traits that the provider is to have; ``None`` where it has them.

    Args:
        standing: what Placement has.
        wanted: what it is to have.
        spelling: what Placement calls each wanted trait, for those it has no standard name for.
    """
    foreign = standing.traits - wanted.decided_traits
    target = foreign | frozenset(spelling.get(name, name) for name in wanted.traits)
    return None if target == standing.traits else target


def moved(standing: Mapping[str, Standing], wanted: Iterable[Provider]) -> Mapping[str, frozenset[str]]:
    """Give the uuids of the providers that each class leaves for others altogether, by class."""
    before: dict[str, set[str]] = {}
    after: dict[str, set[str]] = {}
    for provider in wanted:
        held = standing[provider.uuid].inventories if provider.uuid in standing else {}
        for name in held.keys() & provider.classes:
            before.setdefault(name, set()).add(provider.uuid)
        for name in provider.inventories:
            after.setdefault(name, set()).add(provider.uuid)
    return {
        name: frozenset(holders)
        for name, holders in before.items()
        if name in after and holders.isdisjoint(after[name])
    }
