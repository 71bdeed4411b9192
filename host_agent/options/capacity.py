# SPDX-License-Identifier: Apache-2.0
"""Options of what this host offers, under Nova's names and with Nova's meanings; docs/capacity.md explains them."""

from __future__ import annotations

from oslo_config import cfg

from host_agent.cpu_spec import parse_cpu_spec
from host_agent.options.kinds import Parsed
from host_agent.options.lists import directories, labels
from host_agent.reserved_pages import parse_reserved_pages

__all__ = ["COMPUTE", "DEFAULT"]

_CPUS = Parsed(parse_cpu_spec, "CPUs and ranges separated by commas, ^ before those left out, such as 0-7,^3")
_LABELS = Parsed(labels, "key=value, several separated by commas")
# Nova stores these figures in 32 bits.
_MOST = 2**31 - 1
_MOST_RATIO = 1000


def _ratio(text: str) -> float:
    ratio = float(text)
    if not 0 < ratio <= _MOST_RATIO:  # not a number is neither
        raise ValueError("leave the option out for the default")
    return ratio


_RATIO = Parsed(_ratio, f"a number above 0, up to {_MOST_RATIO}")

DEFAULT: tuple[cfg.Opt, ...] = (
    cfg.IntOpt(
        "reserved_host_cpus",
        default=0,
        min=0,
        max=65536,
        help="CPUs kept for the host's own processes. They count as used, and are taken off the capacity.",
    ),
    cfg.IntOpt(
        "reserved_host_memory_mb",
        default=512,
        min=0,
        max=_MOST,
        help="MiB of memory kept for the host's own processes; the default is Nova's.",
    ),
    cfg.IntOpt(
        "reserved_host_disk_mb",
        default=0,
        min=0,
        max=_MOST,
        help="MiB of disk kept for the host itself, of the space where workloads live.",
    ),
    cfg.MultiOpt(
        "reserved_huge_pages",
        item_type=Parsed(
            parse_reserved_pages,
            "node:N,size:S,count:C; the size in KiB or with a unit (2MB, 1GB); N is the kernel's id",
        ),
        sample_default="<none>",
        help="Huge pages of one NUMA node kept for the host's own processes (a software switch, say), such as "
        "node:0,size:2048,count:64. May be repeated; in the environment separated by semicolons.",
    ),
    cfg.Opt(
        "cpu_allocation_ratio",
        type=_RATIO,
        sample_default="4.0",
        help="How many times the shared CPUs may be given away. CPUs of cpu_dedicated_set are given away once. "
        "Without it: Nova's initial ratio.",
    ),
    cfg.Opt(
        "ram_allocation_ratio",
        type=_RATIO,
        sample_default="1.0",
        help="How many times the memory may be given away. Without it: Nova's initial ratio.",
    ),
    cfg.Opt(
        "disk_allocation_ratio",
        type=_RATIO,
        sample_default="1.0",
        help="How many times the disk may be given away. Without it: Nova's initial ratio.",
    ),
)

COMPUTE: tuple[cfg.Opt, ...] = (
    cfg.Opt(
        "cpu_dedicated_set",
        type=_CPUS,
        sample_default="<none>",
        help="CPUs that workloads are pinned to, each to one (PCPU). All must be online when the agent starts.",
    ),
    cfg.Opt(
        "cpu_shared_set",
        type=_CPUS,
        sample_default="<every CPU, unless cpu_dedicated_set is given>",
        help="CPUs that workloads without CPUs of their own float over (VCPU). It shares none with cpu_dedicated_set. "
        "All must be online when the agent starts.",
    ),
    cfg.BoolOpt(
        "enable_cpu_pinning",
        default=False,
        help="Whether containers may be pinned to CPUs, as Zun understands it; stored in the column of that name.",
    ),
    cfg.Opt(
        "cpu_labels",
        type=_LABELS,
        sample_default="<none>",
        help="What the operator says of the CPUs; stored among the `labels`, each key with `cpu.` before it.",
    ),
    cfg.Opt(
        "memory_labels",
        type=_LABELS,
        sample_default="<none>",
        help="What the operator says of the memory; stored among the `labels`, each key with `memory.` before it.",
    ),
    cfg.Opt(
        "disk_labels",
        type=_LABELS,
        sample_default="<none>",
        help="What the operator says of the disks; stored among the `labels`, each key with `disk.` before it.",
    ),
    cfg.Opt(
        "instances_path",
        type=Parsed(directories, "absolute paths, several separated by commas"),
        sample_default="<what of /var/lib/nova/instances, /var/lib/libvirt/images and the engines' own is there>",
        help="Directories in which the disks of workloads live: their file systems, each counted once, are the disk "
        "that this host offers. Those that do not exist are passed over. Without any of them it is that of /var/lib.",
    ),
)
