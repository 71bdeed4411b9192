# SPDX-License-Identifier: Apache-2.0
"""Options of the report to OpenStack Placement; docs/placement.md explains them."""

from __future__ import annotations

from oslo_config import cfg

from host_agent.options.kinds import ABSOLUTE_PATH, HEADER, HTTP_URL, SOME_TEXT, Parsed
from host_agent.options.lists import pci_classes

__all__ = ["PLACEMENT"]


def _text(name: str, default: str | None, help_text: str) -> cfg.Opt:
    return cfg.StrOpt(
        name, default=default, regex=SOME_TEXT, sample_default=None if default else "<none>", help=help_text
    )


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
    _text("username", None, "Keystone's user."),
    cfg.StrOpt(
        "password", secret=True, regex=SOME_TEXT, sample_default="<none>", help="The password of Keystone's user."
    ),
    _text("project_name", "service", "Keystone's project."),
    _text("user_domain_name", "Default", "Keystone's domain of the user."),
    _text("project_domain_name", "Default", "Keystone's domain of the project."),
    _text("region_name", None, "Keystone's region."),
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
