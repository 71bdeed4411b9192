# SPDX-License-Identifier: Apache-2.0
"""CpuSet: an immutable set of CPU ids, in the text forms the kernel uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from os_capability.errors import InvalidCpuSet

__all__ = ["CpuSet"]

# Far above any kernel's NR_CPUS (8,192 on x86 today). Without a bound the text "0-99999999999" would ask for
# gigabytes of memory before anybody noticed that it is nonsense.
_MOST_CPUS = 1 << 16
# Every second id of them takes 200 kB to write down. A longer text is no list, and not worth the time to read it.
_LONGEST_LIST = 1 << 18


class CpuSet:
    """An immutable set of CPU ids (non-negative integers below 65,536) with full set algebra.

    The ids are the bits of one integer, so that union, intersection and comparison of sets of thousands of CPUs are
    single machine-word loops. `str()` gives the kernel's list form, ``0-3,8``; the empty set is ``""``.

    Source: Documentation/core-api/printk-formats.rst (``%*pb`` and ``%*pbl``),
    Documentation/admin-guide/kernel-parameters.rst (CPU lists with strides).
    """

    __slots__ = ("_bits",)
    _bits: int

    def __init__(self, cpus: Iterable[int] = ()) -> None:
        bits = 0
        for cpu in cpus:
            if not 0 <= cpu < _MOST_CPUS:
                raise InvalidCpuSet(str(cpu), f"a CPU id lies between 0 and {_MOST_CPUS - 1}")
            bits |= 1 << cpu
        object.__setattr__(self, "_bits", bits)

    @classmethod
    def _of(cls, bits: int) -> CpuSet:
        new = object.__new__(cls)
        object.__setattr__(new, "_bits", bits)
        return new

    @classmethod
    def union(cls, sets: Iterable[CpuSet]) -> CpuSet:
        """Give the CPUs that are in any of the sets; of no set at all, the empty set."""
        bits = 0
        for cpus in sets:
            bits |= cpus._bits
        return cls._of(bits)

    @classmethod
    def parse_list(cls, text: str) -> CpuSet:
        r"""Read the kernel's list form: ``0-3,8``, strides ``0-62:2``, groups ``0-31:1/4``; blank is the empty set.

        A trailing newline or NUL is allowed (some firmware tables leak a NUL: Kunpeng prints ``31\n\0``).

        Raises:
            InvalidCpuSet: the text is anything else.
        """
        if len(text) > _LONGEST_LIST:
            raise InvalidCpuSet(text, f"longer than {_LONGEST_LIST} characters")
        bits = 0
        for part in text.rstrip("\0 \t\n").split(","):
            if part := part.strip():
                bits |= _range_bits(part, text)
            elif "," in text:
                raise InvalidCpuSet(text, "an empty element")
        return cls._of(bits)

    @classmethod
    def parse_mask(cls, text: str) -> CpuSet:
        """Read the kernel's mask form: hexadecimal words, highest first: ``ff``, ``0x3``, ``00000000,ffffffff``.

        Raises:
            InvalidCpuSet: the text is not hexadecimal, or its highest bit is no CPU id.
        """
        digits = text.rstrip("\0 \t\n").strip().replace(",", "")
        if len(digits) > _MOST_CPUS // 4 + 2:
            raise InvalidCpuSet(text, f"longer than {_MOST_CPUS} bits")
        # int() would also take "1_0", "-1" and "+1", which no kernel writes.
        if not (digits.isascii() and digits.isalnum()):
            raise InvalidCpuSet(text, "not a hexadecimal mask")
        try:
            bits = int(digits, 16)
        except ValueError:
            raise InvalidCpuSet(text, "not a hexadecimal mask") from None
        if bits.bit_length() > _MOST_CPUS:
            raise InvalidCpuSet(text, f"longer than {_MOST_CPUS} bits")
        return cls._of(bits)

    def to_mask(self) -> str:
        """Give the kernel's mask form: 32-bit words in hexadecimal, highest first, separated by commas."""
        bits, words = self._bits, []
        while True:
            words.append(f"{bits & 0xFFFFFFFF:08x}")
            bits >>= 32
            if not bits:
                return ",".join(reversed(words))

    def __str__(self) -> str:
        return ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in self.ranges())

    def __repr__(self) -> str:
        return f"CpuSet.parse_list({str(self)!r})"

    def ranges(self) -> Iterator[tuple[int, int]]:
        """Yield the runs of consecutive ids as (first, last), lowest first."""
        bits, at = self._bits, 0
        while bits:
            gap = (bits & -bits).bit_length() - 1
            bits >>= gap
            at += gap
            run = (~bits & (bits + 1)).bit_length() - 1
            yield at, at + run - 1
            bits >>= run
            at += run

    def first(self) -> int:
        """Give the lowest id.

        Raises:
            ValueError: the set is empty.
        """
        if not self._bits:
            raise ValueError("an empty CpuSet has no first CPU")
        return (self._bits & -self._bits).bit_length() - 1

    def last(self) -> int:
        """Give the highest id.

        Raises:
            ValueError: the set is empty.
        """
        if not self._bits:
            raise ValueError("an empty CpuSet has no last CPU")
        return self._bits.bit_length() - 1

    def __iter__(self) -> Iterator[int]:
        for first, last in self.ranges():
            yield from range(first, last + 1)

    def __len__(self) -> int:
        return self._bits.bit_count()

    def __bool__(self) -> bool:
        return self._bits != 0

    def __contains__(self, cpu: object) -> bool:
        return isinstance(cpu, int) and 0 <= cpu < _MOST_CPUS and bool(self._bits >> cpu & 1)

    def __eq__(self, other: object) -> bool:
        return self._bits == other._bits if isinstance(other, CpuSet) else NotImplemented

    def __hash__(self) -> int:
        return hash((CpuSet, self._bits))

    def __or__(self, other: CpuSet) -> CpuSet:
        return self._of(self._bits | other._bits) if isinstance(other, CpuSet) else NotImplemented

    def __and__(self, other: CpuSet) -> CpuSet:
        return self._of(self._bits & other._bits) if isinstance(other, CpuSet) else NotImplemented

    def __sub__(self, other: CpuSet) -> CpuSet:
        return self._of(self._bits & ~other._bits) if isinstance(other, CpuSet) else NotImplemented

    def __xor__(self, other: CpuSet) -> CpuSet:
        return self._of(self._bits ^ other._bits) if isinstance(other, CpuSet) else NotImplemented

    def __le__(self, other: CpuSet) -> bool:
        return self._bits & ~other._bits == 0 if isinstance(other, CpuSet) else NotImplemented

    def __lt__(self, other: CpuSet) -> bool:
        return self <= other and self != other if isinstance(other, CpuSet) else NotImplemented

    def __ge__(self, other: CpuSet) -> bool:
        return other <= self if isinstance(other, CpuSet) else NotImplemented

    def __gt__(self, other: CpuSet) -> bool:
        return other < self if isinstance(other, CpuSet) else NotImplemented

    def isdisjoint(self, other: CpuSet) -> bool:
        """Tell whether the two sets share no CPU."""
        return not self._bits & other._bits

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a CpuSet does not change; build a new one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a CpuSet does not change; build a new one")

    def __reduce__(self) -> tuple[object, ...]:
        return CpuSet.parse_list, (str(self),)


def _range_bits(part: str, text: str) -> int:
    """Give the bits of one element of a list: ``8``, ``0-3``, ``0-62:2`` or ``0-31:1/4`` (used/group size)."""
    span, colon, stride = part.partition(":")
    low, dash, high = span.partition("-")
    used, slash, group = stride.partition("/")
    if not slash:
        used, group = "1", stride if colon else "1"
    numbers = (low, high if dash else low, used, group)
    if not all(n.isascii() and n.isdigit() and len(n) <= 6 for n in numbers):
        raise InvalidCpuSet(text, f"{part[:40]!r} is neither a CPU nor a range of CPUs")
    first, last, taken, step = map(int, numbers)
    if last < first:
        raise InvalidCpuSet(text, f"the range {part!r} ends before it starts")
    if last >= _MOST_CPUS:
        raise InvalidCpuSet(text, f"{last} is no CPU id: the highest is {_MOST_CPUS - 1}")
    if not 1 <= taken <= step:
        raise InvalidCpuSet(text, f"the stride of {part!r} is not possible")
    everything = (1 << last + 1) - (1 << first)
    if step == 1:
        return everything
    pattern, width = ((1 << taken) - 1) << first, step
    while width <= last - first:
        pattern |= pattern << width
        width *= 2
    return pattern & everything
