# SPDX-License-Identifier: Apache-2.0
"""Options of the report to OpenStack Placement; docs/placement.md explains them."""

from __future__ import annotations

from oslo_config import cfg

from host_agent.options.keystone import ACCOUNT
from host_agent.options.kinds import ABSOLUTE_PATH, HEADER, HTTP_URL, Parsed
from host_agent.options.lists import pci_classes

__all__ = ["PLACEMENT"]


PLACEMENT: tuple[cfg.Opt, ...] = (
    cfg.StrOpt(
        "url",
        secret=True,
        regex=HTTP_URL,
        sample_default="<what Keystone's catalog says>",
        help="Where Placement answers; needed where `auth` is none. With it, or with `auth_url`, this host is a "
        "resource provider there.",
    ),
    cfg.StrOpt(
        "auth",
        default="keystone",
        choices=("none", "keystone"),
        help="Who this agent is to Placement: one that Keystone knows, or the bearer of `token` (Placement's noauth2).",
    ),
    cfg.StrOpt(
        "token",
        secret=True,
        default="admin",
        regex=HEADER,
        help="What is sent where `auth` is none.",
    ),
    cfg.StrOpt(
        "auth_url",
        secret=True,
        regex=HTTP_URL,
        sample_default="<nothing is reported>",
        help="Where Keystone answers; needed where `auth` is keystone.",
    ),
    *ACCOUNT,
    cfg.StrOpt(
        "interface",
        default="internal",
        choices=("public", "internal", "admin"),
        help="Which of the endpoints in Keystone's catalog.",
    ),
    cfg.StrOpt(
        "ca_file",
        regex=ABSOLUTE_PATH,
        sample_default="<the system's>",
        help="File with the certificates that Placement's and Keystone's are checked by.",
    ),
    cfg.BoolOpt(
        "numa_nodes",
        default=False,
        help="Whether each NUMA node is a provider of its own, with the CPUs and the memory.",
    ),
    cfg.Opt(
        "pci_classes",
        type=Parsed(pci_classes, "VENDOR:PRODUCT=CUSTOM_CLASS, several separated by commas"),
        sample_default="<none>",
        help="PCI devices that are inventory, by vendor and product id, and the resource class each counts in, such as "
        "10de:2204=CUSTOM_GPU.",
    ),
)
