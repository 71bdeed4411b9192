# SPDX-License-Identifier: Apache-2.0
"""What THIS machine can give: CPUs, NUMA nodes and memory, read right from the kernel's own text."""

from os_capability.cpuset import CpuSet
from os_capability.detect import collect, load_driver, refresh
from os_capability.driver import HostDriver
from os_capability.errors import (
    InvalidCpuSet,
    InvalidDocument,
    InvalidRoot,
    InvalidSize,
    MissingPackage,
    MissingProgram,
    OsCapabilityError,
    SourceMissing,
    SourceUnreadable,
    UnparsableText,
)
from os_capability.model import Host, MachineIdentity, NumaTopology
from os_capability.size import parse_size

__version__ = "0.1.0"

__all__ = [
    "CpuSet",
    "Host",
    "HostDriver",
    "InvalidCpuSet",
    "InvalidDocument",
    "InvalidRoot",
    "InvalidSize",
    "MachineIdentity",
    "MissingPackage",
    "MissingProgram",
    "NumaTopology",
    "OsCapabilityError",
    "SourceMissing",
    "SourceUnreadable",
    "UnparsableText",
    "collect",
    "load_driver",
    "parse_size",
    "refresh",
]
