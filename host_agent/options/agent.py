# SPDX-License-Identifier: Apache-2.0
"""Options of the agent itself: who it is, where it writes, how often, and what it tells of itself."""

from __future__ import annotations

from collections.abc import Mapping

from oslo_config import cfg

from host_agent.options.kinds import ABSOLUTE_PATH, LOOPBACK, NAME, SOME_TEXT

__all__ = ["IDENTITY", "SECTIONS"]

IDENTITY: tuple[cfg.Opt, ...] = (
    cfg.StrOpt(
        "host",
        regex=NAME,
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
        regex=ABSOLUTE_PATH,
        help="File with this host's uuid, for machines that are given theirs when they are provisioned. Where it "
        "does not exist the uuid is the one in the state directory, made at the first start.",
    ),
    cfg.StrOpt(
        "state_path",
        regex=SOME_TEXT,
        sample_default="<$STATE_DIRECTORY, else /var/lib/os-capability>",
        help="Directory of what the agent keeps: the host's identity, the last known facts, events that wait, the "
        "embedded database. Without it: $STATE_DIRECTORY, which systemd sets; else /var/lib/os-capability for "
        "root; else $XDG_STATE_HOME/os-capability, which is ~/.local/state/os-capability unless set.",
    ),
)

SECTIONS: Mapping[str, tuple[cfg.Opt, ...]] = {
    "database": (
        cfg.StrOpt(
            "url",
            secret=True,
            regex=SOME_TEXT,
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
            regex=ABSOLUTE_PATH,
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
            regex=NAME,
            help="`binary` of this host's row in the `services` table; clients written for Nova look for the default.",
        ),
        cfg.StrOpt(
            "topic",
            default="compute",
            regex=NAME,
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
            regex=LOOPBACK,
            sample_default="<nothing listens>",
            help="Where `run` serves /metrics for Prometheus: ADDRESS:PORT, of the loopback only.",
        ),
        cfg.StrOpt(
            "textfile",
            regex=ABSOLUTE_PATH,
            sample_default="<no file>",
            help="File that `run` keeps the same metrics in, for the textfile collector of node_exporter; its name "
            "ends in .prom, and its directory must exist.",
        ),
    ),
}
