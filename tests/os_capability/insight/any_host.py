# SPDX-License-Identifier: Apache-2.0
"""Any host that can be built at all, for properties: whatever a document may say."""

from __future__ import annotations

from hypothesis import strategies as st

from os_capability import CpuSet, Host
from os_capability.model import NumaNode, PciDevice, Processor

__all__ = ["any_host"]

_SMALL = st.integers(-1, 5)
_CPUS = st.builds(CpuSet, st.frozensets(st.integers(0, 7)))
_TEXT = st.sampled_from(["", "a", "kvm", "container", "off", "pf", "vf", "Vulnerable", "dram", "\x1b[31m"])


def any_host() -> st.SearchStrategy[Host]:
    """Give hosts of few and small values, so that two of them have much in common."""
    st.register_type_strategy(CpuSet, _CPUS)
    st.register_type_strategy(int, st.one_of(_SMALL, st.integers(0, 1 << 60)))
    st.register_type_strategy(str, _TEXT)
    st.register_type_strategy(float, st.floats(allow_nan=False))
    small = {"id": _SMALL, "core": st.none() | _SMALL, "node": st.none() | _SMALL}
    st.register_type_strategy(Processor, st.builds(Processor, **small))
    st.register_type_strategy(NumaNode, st.builds(NumaNode, id=_SMALL))
    st.register_type_strategy(PciDevice, st.builds(PciDevice, address=st.sampled_from("abc")))
    return st.builds(Host)
