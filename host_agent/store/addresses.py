# SPDX-License-Identifier: Apache-2.0
"""Several servers in one url: HOST:PORT,HOST:PORT in the place of the host, or ``?host=HOST:PORT`` more than once.

Each is tried in turn, and one that takes no writes is passed over: a replica, a Galera node that is not ready.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import URL, make_url

__all__ = ["Address", "Failover", "NoAddressAnswers", "addresses_of", "parse_url"]

# The user's part as SQLAlchemy reads it, then the list; what holds a further @ is no list.
_LIST = re.compile(
    r"(?P<before>[\w+]+://(?:[^:/@]*(?::[^@]*)?@)?)(?P<list>[^/?@]*,[^/?@]*)(?P<after>[/?][^@]*)?", re.DOTALL
)
_ADDRESS = re.compile(r"(?:\[(?P<ipv6>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>\d+))?")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens; the port is the usual one where it is ``None``."""

    host: str
    port: int | None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


class NoAddressAnswers(Exception):
    """None of several servers took the connection.

    Attributes:
        errors: what the driver raised for each.
    """

    def __init__(self, errors: list[tuple[Address, Exception]]) -> None:
        super().__init__(errors)
        self.errors = errors


def parse_url(text: str) -> URL:
    """Read a url; a list of servers goes into its query, as SQLAlchemy writes one.

    Raises:
        ValueError, sqlalchemy.exc.ArgumentError: it is none.
    """
    match = _LIST.fullmatch(text)
    if match is None:
        return make_url(text)
    addresses = [_address(part) for part in match["list"].split(",")]
    url = make_url(match["before"] + (match["after"] or ""))
    return url.update_query_dict({"host": tuple(map(str, addresses))})


def addresses_of(url: URL) -> list[Address]:
    """Give the servers of a url that names several; nothing for a url that names one, or a socket's folder.

    Raises:
        ValueError: one of them is not HOST or HOST:PORT.
    """
    hosts = _listed(url.query.get("host", ()))
    if len(hosts) < 2:
        return []
    ports = [int(port) for port in _listed(url.query.get("port", ()))]
    addresses = [_address(host) for host in hosts]
    if not ports:
        return addresses
    if len(ports) not in (1, len(hosts)):
        raise ValueError("as many ports as hosts, or one for all")
    return [
        Address(address.host, port) for address, port in zip(addresses, ports * (len(hosts) // len(ports)), strict=True)
    ]


def _listed(given: str | tuple[str, ...]) -> list[str]:
    parts = (given,) if isinstance(given, str) else given
    return [host for part in parts for host in part.split(",")]


def _address(text: str) -> Address:
    match = _ADDRESS.fullmatch(text.strip())
    if match is None:
        raise ValueError("a server is not HOST or HOST:PORT")
    return Address(match["ipv6"] or match["host"], int(match["port"]) if match["port"] else None)


class Failover:
    """Connects to the first server that takes writes, and begins with it the next time."""

    def __init__(
        self,
        addresses: list[Address],
        *,
        connect: Callable[..., Any],
        takes_writes: Callable[[Any], bool],
        driver_error: type[Exception],
    ) -> None:
        self._addresses = addresses
        self._connect = connect
        self._takes_writes = takes_writes
        self._driver_error = driver_error
        self._last: Address | None = None

    def __call__(self, **parameters: Any) -> Any:
        """Give a connection; to one that can only be read where none takes writes.

        Raises:
            NoAddressAnswers: no server took it.
        """
        errors: list[tuple[Address, Exception]] = []
        read_only: Address | None = None
        for address in sorted(self._addresses, key=lambda address: address != self._last):
            try:
                connection = self._to(address, parameters)
                if self._checked(connection):
                    self._last = address
                    return connection
            except self._driver_error as error:
                errors.append((address, error))
                continue
            connection.close()
            read_only = read_only or address
        if read_only is not None:
            return self._to(read_only, parameters)
        raise NoAddressAnswers(errors)

    def _to(self, address: Address, parameters: dict[str, Any]) -> Any:
        port = {} if address.port is None else {"port": address.port}
        return self._connect(**{**parameters, "host": address.host, **port})

    def _checked(self, connection: Any) -> bool:
        try:
            return self._takes_writes(connection)
        except self._driver_error:
            connection.close()
            raise
