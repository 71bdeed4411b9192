# SPDX-License-Identifier: Apache-2.0
"""What differs between a provider as it is to be and as it stands, and what of it is somebody else's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_agent.report.placement.provider import (
    Inventory,
    Provider,
    Standing,
    blocked,
    inventories_to_put,
    leftovers,
    moved,
    traits_to_put,
)

OURS = ("VCPU", "PCPU", "MEMORY_MB", "DISK_GB", "CUSTOM_NIC")
THEIRS = ("SRIOV_NET_VF", "CUSTOM_LICENCE", "IPV4_ADDRESS")

inventories = st.builds(Inventory.of, st.integers(1, 2**31 - 1), st.integers(0, 2**31 - 1), st.floats(0.1, 64))
ours = st.dictionaries(st.sampled_from(OURS), inventories)
theirs = st.dictionaries(st.sampled_from(THEIRS), inventories)


def wanted(inventories: Mapping[str, Inventory], uuid: str = "a") -> Provider:
    return Provider(uuid=uuid, name=uuid, inventories=inventories, classes=frozenset(OURS))


def standing(inventories: Mapping[str, Inventory], uuid: str = "a") -> Standing:
    return Standing(uuid=uuid, name=uuid, generation=1, inventories=inventories)


class TestInventories:
    def test_placement_counts_no_further_than_32_bits(self) -> None:
        assert Inventory.of(2**33, 2**32, 1.0) == Inventory(
            total=2**31 - 1, reserved=2**31 - 1, allocation_ratio=1.0, max_unit=2**31 - 1
        )

    @given(ours, theirs, ours)
    def test_what_is_put_is_what_is_wanted_and_what_others_have_there(
        self, before: dict[str, Inventory], foreign: dict[str, Inventory], after: dict[str, Inventory]
    ) -> None:
        put = inventories_to_put(standing({**before, **foreign}), wanted(after))
        if put is None:
            assert before.keys() == after.keys()
            assert all(inventory.is_like(before[name]) for name, inventory in after.items())
        else:
            assert put == {**foreign, **after}

    @given(ours, theirs, ours)
    def test_what_was_put_is_not_put_again(
        self, before: dict[str, Inventory], foreign: dict[str, Inventory], after: dict[str, Inventory]
    ) -> None:
        put = inventories_to_put(standing({**before, **foreign}), wanted(after))
        now = {**before, **foreign} if put is None else put
        assert inventories_to_put(standing(now), wanted(after)) is None

    @given(ours)
    def test_nothing_is_reserved_that_is_not_there(self, found: dict[str, Inventory]) -> None:
        assert all(0 <= inventory.reserved <= inventory.total == inventory.max_unit for inventory in found.values())

    def test_a_ratio_that_mysql_rounded_is_no_difference(self) -> None:
        shown = replace(Inventory.of(8, 0, 1.2345678), allocation_ratio=1.23457)
        assert inventories_to_put(standing({"VCPU": shown}), wanted({"VCPU": Inventory.of(8, 0, 1.2345678)})) is None
        assert inventories_to_put(standing({"VCPU": shown}), wanted({"VCPU": Inventory.of(8, 0, 1.235)})) is not None

    @pytest.mark.parametrize("field", ["total", "reserved", "min_unit", "max_unit", "step_size", "allocation_ratio"])
    def test_every_other_difference_is_one(self, field: str) -> None:
        right = Inventory.of(64, 2, 4.0)
        wrong = replace(right, **{field: getattr(right, field) + 1})
        assert inventories_to_put(standing({"VCPU": wrong}), wanted({"VCPU": right})) == {"VCPU": right}

    def test_what_allocations_use_stays_and_takes_no_more(self) -> None:
        there = standing({"VCPU": Inventory.of(8), "PCPU": Inventory.of(4)})
        target = wanted({"VCPU": Inventory.of(8)})
        assert leftovers(there, target) == {"PCPU"}
        kept = inventories_to_put(there, target, used={"PCPU"})
        assert kept == {"VCPU": Inventory.of(8), "PCPU": blocked(Inventory.of(4))}
        assert kept["PCPU"].reserved == 4
        assert inventories_to_put(standing(kept), target, used={"PCPU"}) is None

    def test_what_is_not_decided_is_not_left_over(self) -> None:
        assert leftovers(standing({"IPV4_ADDRESS": Inventory.of(8)}), wanted({})) == frozenset()

    def test_json_is_what_it_was(self) -> None:
        inventory = Inventory.of(8, 1, 2.5)
        assert Inventory.from_json(inventory.to_json()) == inventory


class TestTraits:
    DECIDED = frozenset({"HW_CPU_X86_AVX", "HW_CPU_X86_SGX", "CUSTOM_HW_CPU_X86_AVX", "CUSTOM_HW_CPU_X86_SGX"})

    @pytest.mark.parametrize(
        ("there", "wanted_traits", "spelling", "expected"),
        [
            ((), (), {}, None),
            ((), ("HW_CPU_X86_AVX",), {}, {"HW_CPU_X86_AVX"}),
            (("HW_CPU_X86_AVX", "CUSTOM_GOLD"), ("HW_CPU_X86_AVX",), {}, None),
            (("HW_CPU_X86_AVX", "CUSTOM_GOLD", "OWNER_NOVA"), (), {}, {"CUSTOM_GOLD", "OWNER_NOVA"}),
            ((), ("HW_CPU_X86_SGX",), {"HW_CPU_X86_SGX": "CUSTOM_HW_CPU_X86_SGX"}, {"CUSTOM_HW_CPU_X86_SGX"}),
            # Placement was upgraded, and has a name for it now.
            (("CUSTOM_HW_CPU_X86_SGX",), ("HW_CPU_X86_SGX",), {}, {"HW_CPU_X86_SGX"}),
        ],
    )
    def test_foreign_ones_stay_and_ours_come_and_go(
        self,
        there: tuple[str, ...],
        wanted_traits: tuple[str, ...],
        spelling: dict[str, str],
        expected: set[str] | None,
    ) -> None:
        provider = Provider(uuid="a", name="a", traits=frozenset(wanted_traits), decided_traits=self.DECIDED)
        found = Standing(uuid="a", name="a", generation=1, traits=frozenset(there))
        assert traits_to_put(found, provider, spelling) == expected


class TestMoves:
    HAS = {"VCPU": Inventory.of(8)}  # noqa: RUF012
    DISK = {"DISK_GB": Inventory.of(9)}  # noqa: RUF012

    def test_a_class_that_goes_from_the_host_to_its_nodes_moves(self) -> None:
        there = {"root": standing({**self.HAS, **self.DISK}, "root")}
        assert moved(there, [wanted(self.DISK, "root"), wanted(self.HAS, "node")]) == {"VCPU": {"root"}}

    def test_and_back(self) -> None:
        there = {"root": standing({}, "root"), "node": standing(self.HAS, "node")}
        assert moved(there, [wanted(self.HAS, "root"), wanted({}, "node")]) == {"VCPU": {"node"}}

    def test_one_that_goes_from_one_node_of_two_does_not(self) -> None:
        there = {uuid: standing(self.HAS, uuid) for uuid in ("node0", "node1")}
        assert moved(there, [wanted(self.HAS, "node0"), wanted({}, "node1")]) == {}

    def test_nor_does_one_that_goes_altogether_or_comes(self) -> None:
        there = {"root": standing({"PCPU": Inventory.of(8)}, "root")}
        assert moved(there, [wanted(self.HAS, "root")]) == {}
