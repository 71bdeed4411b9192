# SPDX-License-Identifier: Apache-2.0
"""Every option in one table: its section, name, type, default and meaning.

The settings (`host_agent.settings`), the sample file and the options' page (`host_agent.sample`) come from it.
"""

from __future__ import annotations

from collections.abc import Mapping

from oslo_config import cfg, types

__all__ = ["OPTIONS", "allowed"]

_NAME = r"^\S{1,255}$"
_ABSOLUTE_PATH = r"^/"
_SOME_TEXT = r"\S"

OPTIONS: Mapping[str, tuple[cfg.Opt, ...]] = {
    "DEFAULT": (
        cfg.StrOpt(
            "host",
            regex=_NAME,
            sample_default="<the host name at first registration>",
            help="Name of this host in the `host` columns, which aggregates refer to. "
            "Without it: the host name at first registration; a later rename of the machine does not change it.",
        ),
        cfg.IPOpt(
            "my_ip",
            sample_default="<source address of the default route>",
            help="Address of this host, stored as `host_ip`. Without a default route: 127.0.0.1.",
        ),
        cfg.StrOpt(
            "state_path",
            regex=_SOME_TEXT,
            sample_default="<$STATE_DIRECTORY, else /var/lib/os-capability>",
            help="Directory of the host's identity and of the embedded database. Without it: $STATE_DIRECTORY, which "
            "systemd sets; else /var/lib/os-capability for root; else $XDG_STATE_HOME/os-capability, which is "
            "~/.local/state/os-capability unless set.",
        ),
    ),
    "database": (
        cfg.StrOpt(
            "url",
            secret=True,
            regex=_SOME_TEXT,
            sample_default="sqlite:///<state_path>/os-capability.sqlite",
            help="Where the rows go: sqlite:///FILE, postgresql+psycopg://USER:PASSWORD@HOST/NAME or "
            "mysql+pymysql://USER:PASSWORD@HOST/NAME. Characters that have a meaning in a URL are percent-encoded.",
        ),
    ),
    "agent": (
        cfg.StrOpt(
            "root",
            default="/",
            regex=_ABSOLUTE_PATH,
            help="Directory under which the machine's `proc` and `sys` lie, for an agent in a container that has the "
            "host's trees mounted elsewhere. / is the machine that the agent runs on.",
        ),
        cfg.StrOpt(
            "source",
            default="auto",
            choices=("auto", "lscpu", "sysfs"),
            help="Who tells the CPU topology: lscpu, the sysfs tree, or both (auto: sysfs decides).",
        ),
        cfg.IntOpt(
            "refresh_interval",
            default=60,
            min=1,
            max=86400,
            help="Seconds between two readings of what moves by itself: memory, huge page counts, load.",
        ),
        cfg.IntOpt(
            "full_interval",
            default=3600,
            min=1,
            max=604800,
            help="Seconds after which every fact is read again, even where nothing seems to have changed. "
            "At least `refresh_interval`.",
        ),
        cfg.IntOpt(
            "report_interval",
            default=10,
            min=1,
            max=3600,
            help="Seconds between two heartbeats in the `services` table.",
        ),
        cfg.StrOpt(
            "binary",
            default="nova-compute",
            regex=_NAME,
            help="`binary` of this host's row in the `services` table; clients written for Nova look for the default.",
        ),
        cfg.StrOpt(
            "topic",
            default="compute",
            regex=_NAME,
            help="`topic` of this host's row in the `services` table.",
        ),
    ),
}


def allowed(option: cfg.Opt) -> str:
    """Say in words which values `option` takes."""
    match option.type:
        case types.Integer(min=least, max=most):
            return f"a whole number from {least} to {most}"
        case types.String(choices=choices) if choices:
            return "one of " + ", ".join(choices)
        case types.String(regex=regex) if regex:
            return _WORDS[regex.pattern]
        case _:
            return "an IPv4 or IPv6 address"


_WORDS = {
    _NAME: "a name of up to 255 characters, without spaces",
    _ABSOLUTE_PATH: "an absolute path",
    _SOME_TEXT: "a text that is not empty",
}
