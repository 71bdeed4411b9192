# SPDX-License-Identifier: Apache-2.0
"""A connection to MySQL or MariaDB that costs little to make, and gives up on a server that has stopped to answer.

It is imported only where such a database is used.
"""

from __future__ import annotations

import functools
import ssl
from typing import Any

import pymysql.connections

__all__ = ["PatientConnection"]


@functools.cache
def _tls_without_check() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class PatientConnection(pymysql.connections.Connection):
    """Waits for each answer as long as `patience_seconds` says; ``None`` is for ever."""

    def __init__(self, *, password: str | None = None, **parameters: Any) -> None:
        # PyMySQL would write a password in Latin-1, and refuse the rest.
        super().__init__(password=(password or "").encode(), **parameters)

    @property
    def patience_seconds(self) -> float | None:
        """How long to wait for an answer; the time for the server's greeting until it is set."""
        # PyMySQL has no public way to change it (1.1 and 1.2 read it before each packet).
        seconds: float | None = self._read_timeout
        return seconds

    @patience_seconds.setter
    def patience_seconds(self, seconds: float | None) -> None:
        self._read_timeout = seconds

    def _create_ssl_ctx(self, sslp: Any) -> ssl.SSLContext:
        # Where nobody asked for TLS, PyMySQL 1.2 takes it from a server that offers it, unchecked. Reading all the
        # machine's certificates for that, at every connection, takes 25 ms of CPU.
        context: ssl.SSLContext = super()._create_ssl_ctx(sslp) if sslp else _tls_without_check()  # type: ignore[misc]
        return context
