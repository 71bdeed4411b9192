# SPDX-License-Identifier: Apache-2.0
"""Granian around the application: workers, threads, TLS, time limits and an orderly end.

It reads requests outside of Python and hands them on when their headers are there, so that clients that are slow with
those hold nothing that others need. A body is read by a thread that waits for it, but only of whoever may send one.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from host_agent import log
from host_agent.api import wsgi
from host_agent.api.auth.loopback import is_loopback_name
from host_agent.api.identity import WsgiApplication
from host_agent.errors import ConfigError
from host_agent.notify import Notifier
from host_agent.settings import ApiSettings, Configuration
from os_capability import __version__

__all__ = ["is_readable_by_others", "serve"]

LOG = logging.getLogger(__name__)

_HEADER_MILLISECONDS = 10_000
# Of one connection's headers. Placement's and Nova's longest requests have a tenth of it.
_BUFFER_BYTES = 64 * 1024
# A request takes a few seconds at most, see `host_agent.store.transaction`.
_GRACE_SECONDS = 8
_LOOK_SECONDS = 0.05
_HIGHEST_PORT = 65535
_PKCS8 = "-----BEGIN PRIVATE KEY-----"


def serve(configuration: Configuration) -> None:
    """Answer until SIGTERM or SIGINT.

    Raises:
        ConfigError: a setting is wrong, or the address cannot be listened on.
        StoreError: the database's url is none, or the tables are older than this program.
        SystemExit: the workers end again and again.
    """
    settings = configuration.settings
    address = _address(settings.api)
    _refuse_wrong_certificate(settings.api)
    log.set_up(configuration.logging, __version__)
    if is_readable_by_others(settings.api, address[0]):
        LOG.warning("tokens cross the network unencrypted: give tls_certificate and tls_key, or put a TLS proxy before")
    wsgi.ready(settings)
    # What no worker could do, none shall try. This one is not used, but what it loads the workers share, as forks do.
    wsgi.opened(settings)
    multiprocessing.set_start_method("fork")
    with tempfile.TemporaryDirectory(prefix="host-agent-api-") as folder:
        server = _server(settings.api, address)
        server.on_startup(partial(_tell_when_it_answers, address))
        server.on_shutdown(Notifier().stopping)
        server.serve(target_loader=partial(_loaded, configuration, Path(folder)), wrap_loader=False)


def is_readable_by_others(api: ApiSettings, address: str) -> bool:
    """Tell whether what clients send to an address crosses a network as it is."""
    return api.tls_certificate is None and not is_loopback_name(address)


def _server(api: ApiSettings, address: tuple[str, int]) -> MPServer:
    return MPServer(
        "host_agent.api:application",
        *address,
        interface=Interfaces.WSGI,
        workers=api.workers,
        blocking_threads=api.threads,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=_HEADER_MILLISECONDS, max_buffer_size=_BUFFER_BYTES, keep_alive=True
        ),
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=_GRACE_SECONDS,
        ssl_cert=None if api.tls_certificate is None else Path(api.tls_certificate),
        ssl_key=None if api.tls_key is None else Path(api.tls_key),
        ssl_protocol_min=SSLProtocols.tls12,
        log_dictconfig=_LOGGING,
        log_level=LogLevels.warning,
    )


# Its lines go where ours go.
_LOGGING: dict[str, Any] = {
    "loggers": {"_granian": {"propagate": True}},
    "handlers": {},
    "formatters": {},
}


def _address(api: ApiSettings) -> tuple[str, int]:
    """Give the address and the port to listen on.

    Raises:
        ConfigError: there are no such.
    """
    host, _, port = api.bind.rpartition(":")
    where = f"[api] bind = {api.bind} is not valid"
    if not 0 < int(port) <= _HIGHEST_PORT:
        raise ConfigError(f"{where}: there is no such port")
    try:
        # Of several the first, as with any server.
        family, *_, place = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        address = str(place[0])
        # The workers share the port; without this look they would share it with those of another server, too.
        with socket.create_server((address, int(port)), family=family):
            pass
    except OSError as error:
        # Those of the resolver are negative, and have no other text than their own.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise ConfigError(f"{where}: {reason}") from None
    if api.auth == "none" and not is_loopback_name(address):
        # A resolver may say anything of `localhost`.
        raise ConfigError(f"{where}: it is {address} here, and with auth = none only this machine may reach it")
    return address, int(port)


def _refuse_wrong_certificate(api: ApiSettings) -> None:
    """Say in a line what a server would say in a traceback of each worker.

    Raises:
        ConfigError: a file cannot be read, or they do not belong together.
    """
    if api.tls_certificate is None or api.tls_key is None:
        return
    texts = {}
    for name, path in (("tls_certificate", api.tls_certificate), ("tls_key", api.tls_key)):
        try:
            texts[name] = Path(path).read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no PEM"
            raise ConfigError(f"[api] {name} = {path} is not valid: {reason}") from None
    if _PKCS8 not in texts["tls_key"]:
        raise ConfigError(
            f"[api] tls_key = {api.tls_key} is not valid: no key in PKCS #8 without a passphrase; "
            "`openssl pkcs8 -topk8 -nocrypt` makes one of any other"
        )
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(api.tls_certificate, api.tls_key)
    except (ssl.SSLError, OSError):
        raise ConfigError(
            f"[api] tls_certificate = {api.tls_certificate} is not valid: no certificate, or not that of {api.tls_key}"
        ) from None


def _tell_when_it_answers(address: tuple[str, int]) -> None:
    """Tell systemd that the start is done as soon as a worker listens; the workers start after this."""

    def wait() -> None:
        while True:
            try:
                socket.create_connection(address, timeout=1).close()
            except OSError:
                time.sleep(_LOOK_SECONDS)
            else:
                break
        Notifier().ready()
        LOG.info("listening on %s:%d", *address)

    threading.Thread(target=wait, name="ready", daemon=True).start()


def _loaded(configuration: Configuration, folder: Path) -> WsgiApplication:
    """Give the application of one worker, in its process."""
    log.set_up(configuration.logging, __version__)
    _end_with_the_parent()
    return wsgi.opened(configuration.settings, folder)


def _end_with_the_parent() -> None:
    """Let no worker stay behind where the first process was killed: it would hold the port."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait(end: Callable[[], None]) -> None:
        parent.join()
        end()

    threading.Thread(target=wait, args=(partial(os.kill, os.getpid(), signal.SIGTERM),), daemon=True).start()
