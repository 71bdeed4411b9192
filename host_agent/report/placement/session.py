# SPDX-License-Identifier: Apache-2.0
"""One HTTP request to Placement, with whatever Keystone wants before it; every fault becomes one line.

keystoneauth is imported at the first request, so that an agent that reports to no Placement does not carry it.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from host_agent.report.placement.errors import NotPlacement, PlacementError, PlacementRefused, PlacementUnreachable
from host_agent.settings import PlacementSettings, hide_password
from os_capability import __version__

if TYPE_CHECKING:
    from keystoneauth1.adapter import Adapter
    from keystoneauth1.plugin import BaseAuthPlugin

__all__ = ["TIME_LIMIT_SECONDS", "Answer", "PlacementSession"]

# On connecting, and on each wait for a part of the answer. A busy Placement takes some ten milliseconds.
TIME_LIMIT_SECONDS = 20.0
_LONGEST_QUOTE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Placement said.

    Attributes:
        status: of HTTP.
        body: the JSON object; empty where there was none.
        code: Placement's own word for what is wrong (``placement.concurrent_update``); ``None`` without one.
        detail: its sentence on that.
    """

    status: int
    body: Mapping[str, Any] = field(default_factory=dict)
    code: str | None = None
    detail: str = ""


class PlacementSession:
    """Speaks HTTP with one Placement; a connection lasts for one request."""

    def __init__(self, settings: PlacementSettings, time_limit_seconds: float = TIME_LIMIT_SECONDS) -> None:
        """Prepare; nothing is sent, and nothing imported.

        Args:
            settings: where Placement is, and who we are to it.
            time_limit_seconds: for connecting, and for each wait for a part of an answer.
        """
        self._settings = settings
        self._time_limit = time_limit_seconds
        self._adapter: Adapter | None = None
        self.url = hide_password(settings.url) if settings.url else "the catalog's endpoint"

    def request(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, microversion: str | None = None
    ) -> Answer:
        """Send one request and give the answer, whatever its status.

        Raises:
            PlacementUnreachable: there was none.
            PlacementRefused: Keystone, or Placement, does not want us.
            NotPlacement: it is no JSON object.
            PlacementError: keystoneauth1 is not installed.
        """
        adapter = self._open()
        from keystoneauth1 import exceptions

        # An agent sends a request an hour: a connection kept for the next one would long be dead, and uwsgi's
        # --http-socket drops it without a word even between two.
        headers = {"Accept": "application/json", "Connection": "close"}
        if microversion is not None:
            headers["OpenStack-API-Version"] = f"placement {microversion}"
        try:
            # Beforehand, so that Placement is not blamed for Keystone's faults; a token lasts for an hour or so.
            adapter.get_token()
        except (exceptions.ClientException, OSError, ValueError) as error:
            raise self._keystone_failed(error) from None
        try:
            if self._settings.url is None:
                self.url = hide_password(adapter.get_endpoint() or self.url)
            response = adapter.request(path, method, json=body, headers=headers, raise_exc=False)
        except (exceptions.ClientException, OSError, ValueError) as error:
            raise self._placement_failed(error) from None
        return self._answer(response.status_code, response.reason, response.text)

    def _open(self) -> Adapter:
        if self._adapter is None:
            try:
                from keystoneauth1 import adapter, session
            except ImportError:
                raise PlacementError(
                    "reports to Placement need the package keystoneauth1: `pip install 'os-capability[placement]'`"
                ) from None
            settings = self._settings
            self._adapter = adapter.Adapter(
                session.Session(
                    auth=self._credentials(),
                    verify=settings.ca_file or True,
                    timeout=self._time_limit,
                    user_agent=f"os-capability/{__version__}",
                ),
                service_type="placement",
                interface=settings.interface,
                region_name=settings.region_name,
                endpoint_override=settings.url,
            )
        return self._adapter

    def _credentials(self) -> BaseAuthPlugin:
        settings = self._settings
        if settings.auth == "keystone":
            from keystoneauth1.identity import Password

            return Password(
                auth_url=settings.auth_url or "",
                username=settings.username,
                password=settings.password,
                user_domain_name=settings.user_domain_name,
                project_name=settings.project_name,
                project_domain_name=settings.project_domain_name,
            )
        from keystoneauth1.token_endpoint import Token

        return Token(settings.url, settings.token)

    def _answer(self, status: int, reason: str, text: str) -> Answer:
        if status in (401, 403):
            raise PlacementRefused(
                f"Placement at {self.url} answers {status} {reason}: the user, or the token, of [placement] must have "
                "the role admin or service there"
            )
        body = _json_object(text)
        code, detail = _error_of(body or {})
        if status >= 500:
            raise PlacementUnreachable("Placement", self.url, f"{status} {detail or reason}", "its own log says why")
        if body is None:
            raise NotPlacement(self.url, f"answers {status} {reason} with something else than JSON")
        return Answer(status=status, body=body, code=code, detail=detail)

    def _keystone_failed(self, error: Exception) -> PlacementError:
        from keystoneauth1 import exceptions

        settings = self._settings
        url = hide_password(settings.auth_url or "")
        if isinstance(error, exceptions.Unauthorized):
            return PlacementRefused(
                f"Keystone at {url} refuses user {settings.username!r} of project {settings.project_name!r}: correct "
                "username, password, project_name and the domains of [placement]"
            )
        return self._unreachable("Keystone", url, error, "make it reachable, or correct [placement] auth_url")

    def _placement_failed(self, error: Exception) -> PlacementError:
        from keystoneauth1 import exceptions

        settings = self._settings
        if isinstance(error, exceptions.CatalogException):
            endpoint = f"{settings.interface} endpoint of Placement in {settings.region_name or 'any region'}"
            return PlacementRefused(
                f"Keystone at {hide_password(settings.auth_url or '')} knows no {endpoint}: correct interface and "
                "region_name of [placement], or give its url"
            )
        return self._unreachable("Placement", self.url, error, "make it reachable, or correct [placement] url")

    def _unreachable(self, who: str, url: str, error: Exception, advice: str) -> PlacementError:
        from keystoneauth1 import exceptions

        match error:
            case exceptions.SSLError():
                reason = f"its certificate is not accepted: {_root_cause(error)}"
                return PlacementUnreachable(who, url, reason, "name its authority by [placement] ca_file")
            case exceptions.ConnectTimeout():
                return PlacementUnreachable(who, url, f"no answer within {self._time_limit:g} s", advice)
            case exceptions.ClientException():
                return PlacementUnreachable(who, url, _root_cause(error), advice)
            case OSError():  # what requests says of the file before it connects
                return PlacementUnreachable(who, url, _first_line(error), "correct [placement] ca_file")
            case _:  # what keystoneauth lets through of those who take a URL apart
                return PlacementUnreachable(who, url, _first_line(error), advice)


def _json_object(text: str) -> Mapping[str, Any] | None:
    if not text:
        return {}
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("Mapping[str, Any]", data) if isinstance(data, dict) else None


def _error_of(body: Mapping[str, Any]) -> tuple[str | None, str]:
    match body:
        case {"errors": [{"detail": str(detail), **rest}, *_]}:
            code = rest.get("code")
            # webob puts its own sentence before Placement's, with an empty line between.
            return code if isinstance(code, str) else None, " ".join(detail.rpartition("\n\n")[2].split())[
                :_LONGEST_QUOTE
            ]
    return None, ""


def _root_cause(error: BaseException) -> str:
    """Give what the operating system said, under all that was wrapped around it."""
    reason, inner = None, error
    while True:
        if isinstance(inner, ssl.SSLCertVerificationError):
            return inner.verify_message or str(inner.reason)
        if isinstance(inner, OSError) and inner.strerror:
            reason = inner.strerror
        following = inner.__cause__ or inner.__context__
        if following is None:
            return reason or _first_line(error)
        inner = following


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:_LONGEST_QUOTE]
