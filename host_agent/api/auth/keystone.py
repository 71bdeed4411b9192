# SPDX-License-Identifier: Apache-2.0
"""Keystone: it says who the bearer of a token is, and a policy says what he may do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from oslo_config import cfg

from host_agent.api.auth.policy import Policy
from host_agent.api.errors import RETRY_AFTER, Unauthorized, Unavailable
from host_agent.api.identity import Identity, WsgiApplication
from host_agent.errors import ConfigError
from host_agent.settings import KeystoneSettings

__all__ = ["KeystoneAuthentication"]

_UNAUTHORIZED = "The request you have made requires authentication."
_UNAVAILABLE = "Keystone does not answer. Try again later."
_GROUP = "keystone_authtoken"
# Not settings of ours: how the middleware does what the others say.
_FIXED = {
    "auth_type": "password",
    "include_service_catalog": False,
    "http_connect_timeout": 5,
    "http_request_max_retries": 1,
    # Its pool of connections is for eventlet, and needs oslo.cache.
    "memcache_use_advanced_pool": False,
}
# What the middleware says of a token it knows, and the policy's name for it.
_CREDENTIALS = {
    "HTTP_X_USER_ID": "user_id",
    "HTTP_X_PROJECT_ID": "project_id",
    "HTTP_X_DOMAIN_ID": "domain_id",
    "HTTP_X_USER_DOMAIN_ID": "user_domain_id",
    "HTTP_X_PROJECT_DOMAIN_ID": "project_domain_id",
    "HTTP_OPENSTACK_SYSTEM_SCOPE": "system_scope",
}


class KeystoneAuthentication:
    """Knows whom Keystone knows; see `Authenticator`.

    keystonemiddleware does the asking. It is no layer around the application: what anybody may ask needs no Keystone.
    """

    def __init__(self, settings: KeystoneSettings, policy: Policy) -> None:
        """Prepare; Keystone is not asked yet.

        Raises:
            ConfigError: what speaks to Keystone is not installed.
        """
        uri = settings.www_authenticate_uri or settings.auth_url
        self._challenge = {"WWW-Authenticate": f'Keystone uri="{uri}"'}
        self._policy = policy
        self._middleware, self._errors = _made(settings)

    def admit(self, environ: Mapping[str, Any]) -> None:
        """Let everybody in: a browser adds no token by itself."""

    def identify(self, environ: Mapping[str, Any]) -> Identity:
        """Give whom Keystone says that the bearer of ``X-Auth-Token`` is.

        Raises:
            Unauthorized: there is no token, or Keystone does not know it.
            Unavailable: Keystone does not answer, or does not know us.
        """
        if not environ.get("HTTP_X_AUTH_TOKEN"):
            raise Unauthorized(_UNAUTHORIZED, headers=self._challenge)
        vouched = self._vouched(environ)
        known = {name: vouched[variable] for variable, name in _CREDENTIALS.items() if vouched.get(variable)}
        roles = frozenset(filter(None, vouched.get("HTTP_X_ROLES", "").split(",")))
        user = known.get("user_id", "")
        return Identity(name=f"user {user}", roles=roles, credentials={**known, "roles": sorted(roles)}, key=user)

    def permits(self, identity: Identity, *, rule: str, role: str) -> bool:
        """Tell whether the policy lets somebody."""
        return self._policy.permits(rule, identity.credentials)

    def _vouched(self, environ: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give the environment with what Keystone says in it."""
        # A copy: what the middleware takes out of it, because a client must not say it, it takes out here.
        vouched = dict(environ)
        statuses: list[str] = []

        def start_response(status: str, *_: Any) -> None:
            statuses.append(status)

        try:
            self._middleware(vouched, start_response)
        except self._errors as error:
            raise Unavailable(_UNAVAILABLE, headers=RETRY_AFTER) from error
        if statuses[0].startswith("401"):
            raise Unauthorized(_UNAUTHORIZED, headers=self._challenge)
        if not statuses[0].startswith("2"):
            raise Unavailable(_UNAVAILABLE, headers=RETRY_AFTER)
        return vouched


def _application(_environ: Mapping[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Stand where the middleware expects what it protects."""
    start_response("204 No Content", [])
    return []


def _made(settings: KeystoneSettings) -> tuple[WsgiApplication, type[Exception]]:
    """Give the middleware, and the base of what it raises where Keystone answers with nonsense.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from keystoneauth1.exceptions import ClientException
        from keystonemiddleware.auth_token import AuthProtocol

        if settings.memcached_servers:
            import memcache  # noqa: F401 - the middleware does so at the first token

        middleware = AuthProtocol(_application, {"oslo_config_config": _options(settings)})
    except ModuleNotFoundError as error:
        raise ConfigError(f"[api] auth = keystone needs {error.name}: pip install 'os-capability[keystone]'") from None
    except OSError as error:
        raise ConfigError(f"[keystone_authtoken] cafile = {settings.cafile}: {error}") from None
    return middleware, ClientException


def _options(settings: KeystoneSettings) -> cfg.ConfigOpts:
    """Give the middleware its options in the form that it knows: its own, with our values."""
    from keystoneauth1 import loading
    from keystonemiddleware.opts import list_auth_token_opts

    options = cfg.ConfigOpts()
    options([], default_config_files=[], default_config_dirs=[])
    for _group, known in list_auth_token_opts():
        options.register_opts(known, group=_GROUP)
    options.register_opts(loading.get_auth_plugin_conf_options("password"), group=_GROUP)
    given = {field.name: getattr(settings, field.name) for field in fields(settings)}
    # It would warn; the 401 that it would go into is ours.
    given["www_authenticate_uri"] = settings.www_authenticate_uri or settings.auth_url
    for name, value in {**given, **_FIXED}.items():
        if value is not None:
            options.set_override(name, list(value) if isinstance(value, tuple) else value, group=_GROUP)
    return options
