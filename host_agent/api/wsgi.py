# SPDX-License-Identifier: Apache-2.0
"""The WSGI application, put together: of parts that are given, and of the settings and what they name."""

from __future__ import annotations

import functools
import logging
import os
from pathlib import Path

import falcon

from host_agent import log
from host_agent.api.auth.loopback import LoopbackOnly
from host_agent.api.endpoint import Endpoint, Service
from host_agent.api.faults import Faults
from host_agent.api.identity import Authenticator, WsgiApplication
from host_agent.api.limits import WriteLimit
from host_agent.api.request_counts import RequestCounter, RequestCounts
from host_agent.api.request_id import RequestId
from host_agent.api.routes import ROUTES, dialect_of
from host_agent.embedded import is_embedded, make_embedded_file
from host_agent.errors import InvalidDatabaseUrl, SchemaOutdated, StoreError
from host_agent.settings import Settings, load
from host_agent.store import migrate, open_engine
from host_agent.store.engine import Engine
from os_capability import __version__

__all__ = ["authenticator", "build", "configured", "opened", "ready"]

LOG = logging.getLogger(__name__)


def build(
    settings: Settings, engine: Engine, authenticator: Authenticator, counts_folder: Path | None = None
) -> WsgiApplication:
    """Give the application.

    Args:
        settings: all of them.
        engine: the database, with the newest schema.
        authenticator: who tells who asks.
        counts_folder: where the processes of one run of a service count requests; ``None`` where it is one process.
    """
    counts = RequestCounts(((route.path, method) for route in ROUTES for method in route.operations), counts_folder)
    service = Service(
        engine=engine,
        settings=settings,
        authenticator=authenticator,
        requests=counts,
        writes=WriteLimit(settings.api.max_writes_per_minute),
    )
    app = falcon.App(middleware=(RequestId(), RequestCounter(counts)))
    for route in ROUTES:
        app.add_route(route.path, Endpoint(service, route.dialect, route.operations))
    # Falcon's own handler of its own errors comes before one of Exception.
    faults = Faults(dialect_of)
    app.add_error_handler(Exception, faults)
    app.add_error_handler(falcon.HTTPError, faults)
    return app


def configured() -> WsgiApplication:
    """Give the application of the settings that the environment and the default file name, for any WSGI server.

    Raises:
        HostAgentError: a setting is wrong, or the tables are older than this program.
    """
    configuration = load()
    log.set_up(configuration.logging, __version__)
    ready(configuration.settings)
    return opened(configuration.settings)


def opened(settings: Settings, counts_folder: Path | None = None) -> WsgiApplication:
    """Give the application with an engine of its own, which connects at the first request.

    Args:
        settings: all of them.
        counts_folder: as for `build`.

    Raises:
        HostAgentError: a setting is wrong.
    """
    engine = open_engine(settings.database.url, connections=settings.api.threads)
    # A server may fork after it: what is connected is the parent's, and two processes on it would mix their answers.
    os.register_at_fork(after_in_child=functools.partial(engine.dispose, close=False))
    return build(settings, engine, authenticator(settings, engine), counts_folder)


def authenticator(settings: Settings, engine: Engine) -> Authenticator:
    """Give who tells who asks, as ``[api] auth`` has it.

    Raises:
        ConfigError: what it needs is not installed, or a file that it names is wrong.
    """
    match settings.api.auth:
        case "token":
            from host_agent.api.auth.token import TokenAuthentication

            return TokenAuthentication(engine)
        case "keystone":
            from host_agent.api.auth.keystone import KeystoneAuthentication
            from host_agent.api.auth.policy import Policy

            return KeystoneAuthentication(settings.keystone_authtoken, Policy(settings.api.policy_file))
        case _:
            return LoopbackOnly()


def ready(settings: Settings) -> None:
    """Make sure that the tables are those of this program; a new embedded file gets them here.

    A database that does not answer is no reason not to begin: whoever asks is told so until it does.

    Raises:
        SchemaOutdated: ``host-agent db upgrade`` has to run first.
        InvalidDatabaseUrl: the url is none.
        IdentityError: the state directory cannot be made.
    """
    make_embedded_file(settings)
    engine = open_engine(settings.database.url)
    trouble = ""
    try:
        (migrate.make_ready if is_embedded(settings) else migrate.require_current)(engine)
    except (InvalidDatabaseUrl, SchemaOutdated):
        raise
    except StoreError as error:
        trouble = str(error)
    finally:
        engine.dispose()
    if trouble:
        # Not in the except block: there oslo.log adds the exception to the line once more.
        LOG.warning("the database does not answer yet: %s", trouble)
