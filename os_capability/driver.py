# SPDX-License-Identifier: Apache-2.0
"""The contract every operating system's driver keeps."""

from __future__ import annotations

from typing import Protocol

from os_capability.model import Host, MachineIdentity

__all__ = ["HostDriver"]


class HostDriver(Protocol):
    """Reads one machine.

    Promises, whatever the system: processor and node ids are unique; the CPU sets of nodes hold online CPUs only;
    sizes are bytes; unknown is ``None``. A collection is whole or an error, never part of a topology.
    """

    def identify(self) -> MachineIdentity:
        """Read only who this machine is, as `collect` would: in well under a millisecond on Linux, without a program.

        Raises:
            SourceUnreadable: a program or call that answers for this system gave nothing. On Linux what cannot be read
                is ``None``.
        """
        ...

    def collect(self) -> Host:
        """Read every fact.

        Raises:
            SourceUnreadable: something this machine must have could not be read.
            UnparsableText: it was read and not understood.
        """
        ...

    def refresh(self, host: Host) -> Host:
        """Read only what moves by itself (memory, huge page counts, uptime, load) and keep the rest of `host`.

        Where the topology moved as well (other CPUs, nodes or devices than `host` has), this is a full `collect`. What
        moved, memory and resized pools of huge pages too, stands in warnings ``topology-changed`` that the next refresh
        does not repeat.

        Raises:
            SourceUnreadable: as for `collect`.
            UnparsableText: as for `collect`.
        """
        ...
