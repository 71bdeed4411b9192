# SPDX-License-Identifier: Apache-2.0
"""The hosts, in the shape of Nova's ``compute_nodes`` with the columns of containers and of facts beside."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from host_agent.migrations import repeatable
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_MEDIUM_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
_LONG_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
_MYSQL = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
_OPTIONS: dict[str, Any] = {
    f"{server}_{name}": value for server in ("mysql", "mariadb") for name, value in _MYSQL.items()
}


def upgrade() -> None:
    """Create ``compute_host``."""
    repeatable.create_table(
        "compute_host",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("service_id", sa.BigInteger()),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("hypervisor_hostname", sa.String(255), nullable=False),
        sa.Column("hostname", sa.String(255)),
        sa.Column("hypervisor_type", sa.String(255)),
        sa.Column("hypervisor_version", sa.BigInteger()),
        sa.Column("host_ip", sa.String(255)),
        sa.Column("vcpus", sa.BigInteger()),
        sa.Column("vcpus_used", sa.BigInteger()),
        sa.Column("memory_mb", sa.BigInteger()),
        sa.Column("memory_mb_used", sa.BigInteger()),
        sa.Column("free_ram_mb", sa.BigInteger()),
        sa.Column("local_gb", sa.BigInteger()),
        sa.Column("local_gb_used", sa.BigInteger()),
        sa.Column("free_disk_gb", sa.BigInteger()),
        sa.Column("disk_available_least", sa.BigInteger()),
        sa.Column("running_vms", sa.BigInteger()),
        sa.Column("current_workload", sa.BigInteger()),
        sa.Column("cpu_info", _MEDIUM_TEXT),
        sa.Column("supported_instances", _MEDIUM_TEXT),
        sa.Column("metrics", _MEDIUM_TEXT),
        sa.Column("pci_stats", _MEDIUM_TEXT),
        sa.Column("extra_resources", _MEDIUM_TEXT),
        sa.Column("stats", _MEDIUM_TEXT),
        sa.Column("numa_topology", _MEDIUM_TEXT),
        sa.Column("cpu_allocation_ratio", sa.Double()),
        sa.Column("ram_allocation_ratio", sa.Double()),
        sa.Column("disk_allocation_ratio", sa.Double()),
        sa.Column("mapped", sa.BigInteger()),
        sa.Column("total_cpu", sa.Double()),
        sa.Column("used_cpu", sa.Double()),
        sa.Column("no_of_containers", sa.BigInteger()),
        sa.Column("running_containers", sa.BigInteger()),
        sa.Column("paused_containers", sa.BigInteger()),
        sa.Column("stopped_containers", sa.BigInteger()),
        sa.Column("mem_total_kb", sa.BigInteger()),
        sa.Column("mem_free_kb", sa.BigInteger()),
        sa.Column("mem_available_kb", sa.BigInteger()),
        sa.Column("buffers_kb", sa.BigInteger()),
        sa.Column("cached_kb", sa.BigInteger()),
        sa.Column("architecture", sa.String(255)),
        sa.Column("os_type", sa.String(255)),
        sa.Column("os", sa.String(255)),
        sa.Column("kernel_version", sa.String(255)),
        sa.Column("labels", _MEDIUM_TEXT),
        sa.Column("runtimes", _MEDIUM_TEXT),
        sa.Column("enable_cpu_pinning", sa.Boolean()),
        sa.Column("disk_quota_supported", sa.Boolean()),
        sa.Column("boot_id", sa.String(36)),
        sa.Column("agent_version", sa.String(255)),
        sa.Column("facts_digest", sa.String(64)),
        sa.Column("facts", _LONG_TEXT),
        sa.Column("facts_at", _MOMENT),
        sa.Column("created_at", _MOMENT),
        sa.Column("updated_at", _MOMENT),
        sa.Column("deleted_at", _MOMENT),
        sa.Column("deleted", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.UniqueConstraint("uuid", name="uniq_compute_host0uuid"),
        **_OPTIONS,
    )
    repeatable.create_index("ix_compute_host_host", "compute_host", ["host"])
    repeatable.create_index("ix_compute_host_hypervisor_hostname", "compute_host", ["hypervisor_hostname"])
    if op.get_bind().dialect.name == "postgresql":
        # Room on each page for the rows' next versions, so that an update touches no index (HOT).
        op.execute("ALTER TABLE compute_host SET (fillfactor = 70)")
