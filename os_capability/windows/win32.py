# SPDX-License-Identifier: Apache-2.0
"""Calls Windows: its API by ctypes, its registry, and psutil for the two facts that neither gives simply.

Source: sysinfoapi.h, systemtopologyapi.h; winreg of Python's library.
"""

from __future__ import annotations

from os_capability.errors import SourceUnreadable

__all__ = ["Win32"]

_RELATION_NUMA_NODE_EX, _RELATION_ALL = 6, 0xFFFF
_ERROR_INSUFFICIENT_BUFFER = 122
_MOST_BYTES = 16 << 20
_ATTEMPTS = 5


class Win32:
    """Asks the Windows it runs on; everything comes as the system gives it."""

    def pointer_bytes(self) -> int:
        """Give the size of a pointer, and so of a processor mask."""
        import ctypes

        return ctypes.sizeof(ctypes.c_void_p)

    def processor_information(self) -> bytes:
        """Ask ``GetLogicalProcessorInformationEx`` for everything.

        Raises:
            SourceUnreadable: the system refused.
        """
        # RelationAll leaves out the newer relation with the nodes of several groups; older systems refuse that one.
        everything = self._relation(_RELATION_ALL)
        try:
            return everything + self._relation(_RELATION_NUMA_NODE_EX)
        except SourceUnreadable:
            return everything

    def _relation(self, relation: int) -> bytes:
        import ctypes

        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        ask = kernel32.GetLogicalProcessorInformationEx
        ask.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_ulong))
        buffer, length = None, ctypes.c_ulong(0)
        # The first call tells how long the answer is; a CPU added since then makes it longer.
        for _ in range(_ATTEMPTS):
            if ask(relation, buffer, ctypes.byref(length)):
                return b"" if buffer is None else buffer.raw[: length.value]
            if ctypes.get_last_error() != _ERROR_INSUFFICIENT_BUFFER or length.value > _MOST_BYTES:
                break
            buffer = ctypes.create_string_buffer(length.value)
        raise SourceUnreadable("GetLogicalProcessorInformationEx", f"error {ctypes.get_last_error()}")

    def memory_status(self) -> bytes:
        """Ask ``GlobalMemoryStatusEx``: a MEMORYSTATUSEX.

        Raises:
            SourceUnreadable: the system refused.
        """
        import ctypes

        buffer = ctypes.create_string_buffer((64).to_bytes(4, "little"), 64)
        if not ctypes.WinDLL("kernel32").GlobalMemoryStatusEx(buffer):
            raise SourceUnreadable("GlobalMemoryStatusEx", "the system refused")
        return buffer.raw

    def node_available_bytes(self, node: int) -> int | None:
        """Ask ``GetNumaAvailableMemoryNodeEx`` for the memory that a NUMA node has to give."""
        import ctypes

        available = ctypes.c_ulonglong(0)
        ask = ctypes.WinDLL("kernel32").GetNumaAvailableMemoryNodeEx
        ask.argtypes = (ctypes.c_ushort, ctypes.POINTER(ctypes.c_ulonglong))
        return available.value if ask(node, ctypes.byref(available)) else None

    def uptime_seconds(self) -> float:
        """Ask ``GetTickCount64``."""
        import ctypes

        tick_count = ctypes.WinDLL("kernel32").GetTickCount64
        tick_count.restype = ctypes.c_ulonglong
        return float(tick_count()) / 1000

    def registry(self, key: str, name: str) -> object:
        """Give a value of HKEY_LOCAL_MACHINE: a text, a number or bytes; ``None`` where there is none."""
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as opened:
                value: object = winreg.QueryValueEx(opened, name)[0]
                return value
        except OSError:
            return None

    def hostname(self) -> str | None:
        """Give the host name."""
        import socket

        return socket.gethostname() or None

    def architecture(self) -> str | None:
        """Give the architecture as Windows spells it (``AMD64``, ``ARM64``)."""
        import platform

        return platform.machine() or None

    def swap_bytes(self) -> tuple[int, int] | None:
        """Ask psutil for the total and free bytes of the page files; ``None`` where it is not installed."""
        try:
            import psutil
        except ImportError:
            return None
        swap = psutil.swap_memory()
        return swap.total, swap.free

    def users(self) -> int | None:
        """Ask psutil how many people are logged in; ``None`` where it is not installed."""
        try:
            import psutil
        except ImportError:
            return None
        return len(psutil.users())
