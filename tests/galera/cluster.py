# SPDX-License-Identifier: Apache-2.0
"""A Galera cluster of three MariaDB servers on ports of 127.0.0.1, of which a test may kill and cut off any."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import pymysql

from host_agent.store.schema import METADATA
from tests.host_agent.servers import MariaDb, free_port, new_folder, run_as, wait_until

__all__ = ["PROVIDER", "Cluster", "Node"]

# Where Debian and the RPMs of MariaDB put it.
_PROVIDERS = (Path("/usr/lib/galera/libgalera_smm.so"), Path("/usr/lib64/galera-4/libgalera_smm.so"))
PROVIDER = next((path for path in _PROVIDERS if path.exists()), None)
_SYNCED_SECONDS = 120
_TABLES = sorted(METADATA.tables)


class Node(MariaDb):
    """One node; `start` returns when it has what the others have."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.group_port = free_port()
        self._arguments: list[str] = []

    def join(self, nodes: list[Node]) -> None:
        """Make it a member of the cluster that these are; in a file, which the scripts that copy a state read too."""
        own = f"127.0.0.1:{self.group_port}"
        provider_options = {
            "base_host": "127.0.0.1",
            "base_port": self.group_port,
            "gmcast.listen_addr": f"tcp://{own}",
            "ist.recv_addr": f"127.0.0.1:{free_port()}",
            "gcache.size": "32M",
            # A node that is gone is noticed after 2 s; the keep-alive has to be shorter than that.
            "evs.keepalive_period": "PT0.5S",
            "evs.suspect_timeout": "PT2S",
            "evs.inactive_timeout": "PT5S",
            "evs.install_timeout": "PT5S",
        }
        settings = {
            "user": self.user,
            "datadir": self.folder / "data",
            "tmpdir": self.folder,
            "socket": self.folder / "sock",
            "pid-file": self.folder / "pid",
            "port": self.port,
            "bind-address": "127.0.0.1",
            "skip-name-resolve": 1,
            "binlog_format": "ROW",
            "innodb_autoinc_lock_mode": 2,
            "innodb_log_file_size": "8M",
            "innodb_buffer_pool_size": "32M",
            "innodb_flush_log_at_trx_commit": 2,
            "wsrep_on": "ON",
            "wsrep_provider": PROVIDER,
            "wsrep_cluster_name": "fleet",
            "wsrep_cluster_address": "gcomm://" + ",".join(f"127.0.0.1:{node.group_port}" for node in nodes),
            "wsrep_node_name": f"node-{self.port}",
            "wsrep_node_address": own,
            "wsrep_sst_receive_address": f"127.0.0.1:{free_port()}",
            "wsrep_sst_method": "rsync",
            "wsrep_slave_threads": 2,
            "wsrep_provider_options": f'"{";".join(f"{name}={value}" for name, value in provider_options.items())}"',
        }
        self._settings.write_text("\n".join(["[mysqld]", *(f"{name}={value}" for name, value in settings.items()), ""]))

    def found(self) -> None:
        """Start it as the first node of a new cluster."""
        self._start_with("--wsrep-new-cluster")

    def rejoin(self) -> None:
        """Start it after `kill`, as the packaged service does: only what it missed is sent to it."""
        with (self.folder / "recover.log").open("wb") as log:
            assert run_as(self.user, [*self._command(), "--wsrep-recover"], self.folder, log).wait() == 0
        said = (self.folder / "recover.log").read_text(errors="replace")
        position = re.findall(r"Recovered position: *(\S+)", said)[-1]
        self._start_with(f"--wsrep-start-position={position}")

    def isolate(self) -> None:
        """Let it hear nothing of the others; it notices after some seconds."""
        self.administer("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'")

    def cut_off(self) -> None:
        """Let it hear nothing of the others until it knows, and takes no statement any more."""
        self.isolate()
        wait_until(lambda: self.status("wsrep_ready") == "OFF", "the node is cut off", seconds=_SYNCED_SECONDS)

    def let_in(self) -> None:
        self.administer("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=0'")
        wait_until(self.is_synced, "the node is a member again", seconds=_SYNCED_SECONDS)

    def is_synced(self) -> bool:
        return self.status("wsrep_local_state_comment") == "Synced" and self.status("wsrep_ready") == "ON"

    def status(self, name: str) -> str:
        ((_name, value),) = self.administer(f"SHOW GLOBAL STATUS LIKE '{name}'")
        return str(value)

    @property
    def _settings(self) -> Path:
        return self.folder / "my.cnf"

    def _start_with(self, argument: str) -> None:
        self._arguments = [argument]
        self.start()
        self._arguments = []

    def _command(self) -> list[str]:
        if not self._settings.exists():
            return super()._command()  # still no cluster
        return [str(self.program("mariadbd")), f"--defaults-file={self._settings}", *self._arguments]

    def _answers(self) -> bool:
        with suppress(pymysql.err.Error):
            return super()._answers() and (not self._settings.exists() or self.is_synced())
        return False


class Cluster:
    """Three nodes that hold the same rows; the database `fleet` of `Server` is theirs."""

    def __init__(self) -> None:
        self.nodes = [Node(new_folder(Node.user)) for _ in range(3)]

    def start(self) -> None:
        first, *others = self.nodes
        Node.install(first.folder)
        for node in self.nodes:
            node.join(self.nodes)
        first.found()
        for node in others:
            # They get all they have from the first.
            data = ["install", "-d", "-o", node.user, "-g", node.user, str(node.folder / "data")]
            subprocess.run(data if os.getuid() == 0 else ["mkdir", data[-1]], check=True)
            node.start()
        wait_until(lambda: first.status("wsrep_cluster_size") == "3", "three nodes", seconds=_SYNCED_SECONDS)

    def gather(self) -> None:
        """Let every node be a member."""
        for node in self.nodes:
            if not node.is_running:
                node.rejoin()

    def drop_tables(self) -> None:
        self.nodes[0].administer("DROP DATABASE fleet")
        self.nodes[0].administer("CREATE DATABASE fleet")
        self.agree()

    def empty_tables(self) -> None:
        for table in _TABLES:
            self.nodes[0].administer(f"DELETE FROM fleet.{table}")
        self.agree()

    def agree(self) -> None:
        """Wait until every node has every row of the others."""
        self.answer(f"CHECKSUM TABLE {', '.join(f'fleet.{table}' for table in ('alembic_version', *_TABLES))}")

    def answer(self, query: str) -> list[tuple[object, ...]]:
        """Give what all three nodes say once they say the same."""
        answers: list[list[tuple[object, ...]]] = []

        def agree() -> bool:
            answers[:] = [node.administer(query) for node in self.nodes]
            return answers[0] == answers[1] == answers[2]

        wait_until(agree, "the nodes agree", seconds=_SYNCED_SECONDS)
        return answers[0]

    def remove(self) -> None:
        for node in self.nodes:
            node.remove()
