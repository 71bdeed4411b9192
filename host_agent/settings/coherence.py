# SPDX-License-Identifier: Apache-2.0
"""Settings that are allowed one by one, and make no sense together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from host_agent.errors import ConfigError
from host_agent.options.kinds import is_loopback
from host_agent.settings.sections import AgentSettings, ApiSettings, CapacitySettings, PlacementSettings, Settings

__all__ = ["refuse_incoherent"]

_Origins = Mapping[tuple[str, str], str]


def refuse_incoherent(settings: Settings, origins: _Origins) -> None:
    """Refuse settings of which one contradicts another.

    Args:
        settings: all of them.
        origins: where each that was given comes from, by section and name.

    Raises:
        ConfigError: names the place, the option, its value and what is allowed.
    """
    _refuse_intervals(settings.agent, origins)
    _refuse_capacity(settings.capacity, origins)
    _refuse_placement(settings.placement, origins)
    _refuse_api(settings.api, origins)
    _refuse_keystone(settings, origins)


def _refuse_intervals(agent: AgentSettings, origins: _Origins) -> None:
    for name, least, reason in (
        ("full_interval", agent.refresh_interval, f"refresh_interval, which is {agent.refresh_interval}"),
        # With fewer than two heartbeats to miss, one that is late makes a host look dead (Nova's bug 1255685).
        ("down_after", agent.report_interval * 2.5, f"2.5 times report_interval, which is {agent.report_interval}"),
    ):
        if getattr(agent, name) < least:
            other = reason.partition(",")[0].split()[-1]
            origin = origins.get(("agent", name)) or origins[("agent", other)]
            raise ConfigError(f"{origin}: [agent] {name} = {getattr(agent, name)} is not valid: at least {reason}")


def _refuse_capacity(capacity: CapacitySettings, origins: _Origins) -> None:
    dedicated, shared = capacity.cpu_dedicated_set, capacity.cpu_shared_set
    if dedicated is not None and shared is not None and not dedicated.isdisjoint(shared):
        raise ConfigError(
            f"{origins['compute', 'cpu_dedicated_set']}: [compute] cpu_dedicated_set = {dedicated} is not valid: "
            f"it shares CPU {dedicated & shared} with cpu_shared_set, which is {shared}"
        )
    if capacity.reserved_host_cpus and dedicated is not None and shared is None:
        raise ConfigError(
            f"{origins['DEFAULT', 'reserved_host_cpus']}: [DEFAULT] reserved_host_cpus = {capacity.reserved_host_cpus} "
            "is not valid: with cpu_dedicated_set alone there are no CPUs to take them off; leave the host's own out "
            "of that set instead"
        )
    times = Counter((pages.node, pages.size_bytes) for pages in capacity.reserved_huge_pages)
    for (node, size), number in times.items():
        if number > 1:
            raise ConfigError(
                f"{origins['DEFAULT', 'reserved_huge_pages']}: [DEFAULT] reserved_huge_pages is not valid: "
                f"node {node} and size {size // 1024} are given {number} times"
            )


def _refuse_placement(placement: PlacementSettings, origins: _Origins) -> None:
    # With Keystone its catalog may name the place.
    is_keystone = placement.auth == "keystone"
    for name in ("auth_url", "username", "password") if is_keystone else ("url",):
        if getattr(placement, name) is None and (placement.url or placement.auth_url):
            origin = origins.get(("placement", "url")) or origins["placement", "auth_url"]
            raise ConfigError(f"{origin}: [placement] {name} is not given: with auth = {placement.auth} it is needed")


def _refuse_api(api: ApiSettings, origins: _Origins) -> None:
    if api.auth == "none" and not is_loopback(api.bind):
        origin = origins["api", "bind"]
        raise ConfigError(
            f"{origin}: [api] bind = {api.bind} is not valid: with auth = none only this machine may reach it, as by "
            "127.0.0.1:PORT; set auth to token or keystone"
        )
    for name, other in (("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")):
        if getattr(api, name) is None and getattr(api, other) is not None:
            raise ConfigError(f"{origins['api', other]}: [api] {name} is not given: with {other} it is needed")


def _refuse_keystone(settings: Settings, origins: _Origins) -> None:
    if settings.api.auth != "keystone":
        return
    for name in ("auth_url", "username", "password"):
        if getattr(settings.keystone_authtoken, name) is None:
            raise ConfigError(
                f"{origins['api', 'auth']}: [keystone_authtoken] {name} is not given: with [api] auth = keystone it "
                "is needed"
            )
