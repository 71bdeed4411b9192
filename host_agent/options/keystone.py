# SPDX-License-Identifier: Apache-2.0
"""Options of whoever speaks to Keystone: who that is there, and how the API asks who bears a token."""

from __future__ import annotations

from oslo_config import cfg

from host_agent.options.kinds import ABSOLUTE_PATH, HTTP_URL, SOME_TEXT, Parsed
from host_agent.options.lists import addresses

__all__ = ["ACCOUNT", "KEYSTONE"]


def _text(name: str, default: str | None, help_text: str) -> cfg.Opt:
    return cfg.StrOpt(
        name, default=default, regex=SOME_TEXT, sample_default=None if default else "<none>", help=help_text
    )


# Who speaks to Keystone; under the names that every service of OpenStack has for it.
ACCOUNT: tuple[cfg.Opt, ...] = (
    _text("username", None, "Keystone's user."),
    cfg.StrOpt(
        "password", secret=True, regex=SOME_TEXT, sample_default="<none>", help="The password of Keystone's user."
    ),
    _text("project_name", "service", "Keystone's project."),
    _text("user_domain_name", "Default", "Keystone's domain of the user."),
    _text("project_domain_name", "Default", "Keystone's domain of the project."),
    _text("region_name", None, "Keystone's region."),
)

KEYSTONE: tuple[cfg.Opt, ...] = (
    cfg.StrOpt(
        "auth_url",
        secret=True,
        regex=HTTP_URL,
        sample_default="<none>",
        help="Where this server asks Keystone who the bearer of a token is; needed where `[api] auth` is keystone.",
    ),
    cfg.StrOpt(
        "www_authenticate_uri",
        regex=HTTP_URL,
        sample_default="<auth_url>",
        help="Where clients without a token are sent to.",
    ),
    *ACCOUNT,
    cfg.StrOpt(
        "interface",
        default="internal",
        choices=("public", "internal", "admin"),
        help="Which of Keystone's own endpoints in its catalog.",
    ),
    cfg.StrOpt(
        "cafile",
        regex=ABSOLUTE_PATH,
        sample_default="<the system's>",
        help="File with the certificates that Keystone's is checked by.",
    ),
    cfg.BoolOpt("insecure", default=False, help="Whether Keystone's certificate is not checked at all."),
    cfg.Opt(
        "memcached_servers",
        type=Parsed(addresses, "HOST:PORT, several separated by commas"),
        sample_default="<each worker remembers by itself>",
        help="Where what Keystone says of a token is remembered, for all servers together.",
    ),
    cfg.IntOpt(
        "token_cache_time",
        default=300,
        min=-1,
        max=86400,
        help="Seconds that what Keystone says of a token is remembered, so that a revoked one still lets in; -1 asks "
        "each time.",
    ),
)
