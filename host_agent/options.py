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
_LOOPBACK = r"^(127(\.\d{1,3}){3}|\[::1\]|localhost):\d{1,5}$"

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
            "host_uuid_file",
            default="/etc/os-capability/host_uuid",
            regex=_ABSOLUTE_PATH,
            help="File with this host's uuid, for machines that are given theirs when they are provisioned. Where it "
            "does not exist the uuid is the one in the state directory, made at the first start.",
        ),
        cfg.StrOpt(
            "state_path",
            regex=_SOME_TEXT,
            sample_default="<$STATE_DIRECTORY, else /var/lib/os-capability>",
            help="Directory of what the agent keeps: the host's identity, the last known facts, events that wait, the "
            "embedded database. Without it: $STATE_DIRECTORY, which systemd sets; else /var/lib/os-capability for "
            "root; else $XDG_STATE_HOME/os-capability, which is ~/.local/state/os-capability unless set.",
        ),
    ),
    "database": (
        cfg.StrOpt(
            "url",
            secret=True,
            regex=_SOME_TEXT,
            sample_default="sqlite:///<state_path>/os-capability.sqlite",
            help="Where the rows go: sqlite:///FILE, postgresql+psycopg://USER:PASSWORD@HOST/NAME or "
            "mysql+pymysql://USER:PASSWORD@HOST/NAME. HOST may be several, HOST:PORT,HOST:PORT, tried in turn. "
            "Characters that have a meaning in a URL are percent-encoded.",
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
        cfg.IntOpt(
            "down_after",
            default=60,
            min=3,
            max=86400,
            help="Seconds without a heartbeat after which a host counts as down, and another boot may take over its "
            "row. At least 2.5 times `report_interval`; the same on every host of a fleet.",
        ),
        cfg.IntOpt(
            "retry_interval",
            default=60,
            min=1,
            max=3600,
            help="Longest pause in seconds between two tries to report while the database fails. Pauses grow towards "
            "it and are drawn at random, so that a fleet does not come back all at once.",
        ),
        cfg.IntOpt(
            "stall_after",
            default=60,
            min=1,
            max=86400,
            help="Seconds after which a collection or a report that has not returned counts as stuck.",
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
    "events": (
        cfg.IntOpt(
            "fold_interval",
            default=600,
            min=0,
            max=86400,
            help="Seconds in which changes of one kind on the same thing, after the first, are told as one event: "
            "what flaps would fill the table. 0 tells each.",
        ),
        cfg.IntOpt(
            "max_age_days",
            default=90,
            min=1,
            max=3650,
            help="Days after which a host's events are removed.",
        ),
        cfg.IntOpt(
            "max_per_host",
            default=1000,
            min=10,
            max=1000000,
            help="Events kept for one host; the oldest are removed.",
        ),
        cfg.IntOpt(
            "spool_size",
            default=1000,
            min=10,
            max=100000,
            help="Events kept on this host's disk while the database cannot be reached; the oldest give way.",
        ),
    ),
    "metrics": (
        cfg.StrOpt(
            "bind",
            regex=_LOOPBACK,
            sample_default="<nothing listens>",
            help="Where `run` serves /metrics for Prometheus: ADDRESS:PORT, of the loopback only.",
        ),
        cfg.StrOpt(
            "textfile",
            regex=_ABSOLUTE_PATH,
            sample_default="<no file>",
            help="File that `run` keeps the same metrics in, for the textfile collector of node_exporter; its name "
            "ends in .prom, and its directory must exist.",
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
    _LOOPBACK: "127.0.0.1:PORT, [::1]:PORT or localhost:PORT",
}
