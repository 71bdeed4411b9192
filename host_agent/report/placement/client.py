# SPDX-License-Identifier: Apache-2.0
"""Placement's API, as much of it as a host needs that reports itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from host_agent.report.placement.errors import NotPlacement, PlacementConflict, PlacementRefused, ProviderNameTaken
from host_agent.report.placement.provider import Inventory, Provider, Standing
from host_agent.report.placement.session import Answer, PlacementSession

__all__ = ["LEAST_MICROVERSION", "NEWEST_MICROVERSION", "PlacementClient"]

# 1.26 (OpenStack Rocky, 2018): all of an inventory may be reserved; before that, 1.23: errors have codes, by which one
# 409 is told from another; 1.14: a provider may be part of another.
LEAST_MICROVERSION = (1, 26)
NEWEST_MICROVERSION = (1, 39)

_DUPLICATE_NAME = "placement.duplicate_name"
_PROVIDER_IN_USE = ("placement.resource_provider.inuse", "placement.resource_provider.cannot_delete_parent")

T = TypeVar("T")


class PlacementClient:
    """One method for each request; each raises `PlacementError` where Placement did not do it."""

    def __init__(self, session: PlacementSession) -> None:
        """Prepare; nothing is sent yet.

        Args:
            session: the way there.
        """
        self._session = session
        self._microversion: str | None = None

    def forget(self) -> None:
        """Ask anew which microversions Placement speaks: the one that comes back may be another."""
        self._microversion = None

    def tree(self, uuid: str) -> Mapping[str, Standing]:
        """Give the provider and all that are in one tree with it, less their inventories and traits; empty: none."""
        answer = self._expect(200, "GET", f"/resource_providers?in_tree={uuid}")
        providers = self._read(lambda: [_standing(item) for item in answer.body["resource_providers"]])
        return {provider.uuid: provider for provider in providers}

    def contents(self, provider: Standing) -> Standing:
        """Give a provider with its inventories and traits, of the older of the generations that both were read at."""
        path = f"/resource_providers/{provider.uuid}"
        inventories = self._expect(200, "GET", f"{path}/inventories").body
        traits = self._expect(200, "GET", f"{path}/traits").body
        return self._read(
            lambda: Standing(
                uuid=provider.uuid,
                name=provider.name,
                generation=min(_generation(inventories), _generation(traits)),
                inventories={name: Inventory.from_json(item) for name, item in inventories["inventories"].items()},
                traits=frozenset(map(str, traits["traits"])),
            )
        )

    def used(self, uuid: str) -> frozenset[str]:
        """Give the resource classes of a provider that allocations use."""
        usages = self._expect(200, "GET", f"/resource_providers/{uuid}/usages").body
        return self._read(lambda: frozenset(str(name) for name, amount in usages["usages"].items() if int(amount) > 0))

    def create(self, wanted: Provider) -> Standing:
        """Make a provider.

        Raises:
            ProviderNameTaken: another one has its name.
        """
        body = {"uuid": wanted.uuid, "name": wanted.name, "parent_provider_uuid": wanted.parent_uuid}
        answer = self._send("POST", "/resource_providers", body)
        if answer.code == _DUPLICATE_NAME:
            raise ProviderNameTaken(wanted.name, wanted.uuid)
        return self._read(lambda: _standing(self._checked(200, "POST", "/resource_providers", answer).body))

    def rename(self, standing: Standing, name: str) -> Standing:
        """Give a provider another name.

        Raises:
            ProviderNameTaken: another one has that name.
        """
        path = f"/resource_providers/{standing.uuid}"
        answer = self._send("PUT", path, {"name": name})
        if answer.code == _DUPLICATE_NAME:
            raise ProviderNameTaken(name, standing.uuid)
        return self._read(lambda: _standing(self._checked(200, "PUT", path, answer).body))

    def delete(self, uuid: str) -> bool:
        """Remove a provider; False where allocations use it, or another is part of it."""
        path = f"/resource_providers/{uuid}"
        answer = self._send("DELETE", path)
        if answer.code in _PROVIDER_IN_USE:
            return False
        if answer.status != 404:
            self._checked(204, "DELETE", path, answer)
        return True

    def put_inventories(self, standing: Standing, inventories: Mapping[str, Inventory]) -> int:
        """Give a provider these inventories and no others, and give its new generation."""
        body = {
            "resource_provider_generation": standing.generation,
            "inventories": {name: inventory.to_json() for name, inventory in inventories.items()},
        }
        answer = self._expect(200, "PUT", f"/resource_providers/{standing.uuid}/inventories", body)
        return self._read(lambda: _generation(answer.body))

    def put_traits(self, standing: Standing, traits: Iterable[str]) -> int:
        """Give a provider these traits and no others, and give its new generation."""
        body = {"resource_provider_generation": standing.generation, "traits": sorted(traits)}
        answer = self._expect(200, "PUT", f"/resource_providers/{standing.uuid}/traits", body)
        return self._read(lambda: _generation(answer.body))

    def known_traits(self, names: Iterable[str]) -> frozenset[str]:
        """Give those of the names that Placement knows."""
        answer = self._expect(200, "GET", f"/traits?name=in:{quote(','.join(sorted(names)))}")
        return self._read(lambda: frozenset(map(str, answer.body["traits"])))

    def make_trait(self, name: str) -> None:
        """Let there be a custom trait of that name."""
        self._expect((201, 204), "PUT", f"/traits/{quote(name)}")

    def make_resource_class(self, name: str) -> None:
        """Let there be a custom resource class of that name."""
        self._expect((201, 204), "PUT", f"/resource_classes/{quote(name)}")

    def _expect(
        self, status: int | tuple[int, ...], method: str, path: str, body: Mapping[str, object] | None = None
    ) -> Answer:
        return self._checked(status, method, path, self._send(method, path, body))

    def _checked(self, status: int | tuple[int, ...], method: str, path: str, answer: Answer) -> Answer:
        if answer.status in ((status,) if isinstance(status, int) else status):
            return answer
        reason = answer.detail or "no reason"
        what = f"Placement at {self._session.url} answers {answer.status} to {method} {path}: {reason}"
        # 404: a provider that was there is gone.
        if answer.status in (404, 409):
            raise PlacementConflict(f"{what}: another program changes the same provider")
        raise PlacementRefused(f"{what}: its own log may say more")

    def _send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        if self._microversion is None:
            self._microversion = self._negotiate()
        return self._session.request(method, path, body, microversion=self._microversion)

    def _negotiate(self) -> str:
        answer = self._session.request("GET", "/")
        least, newest = self._read(lambda: _microversions(answer.body))
        agreed = min(newest, NEWEST_MICROVERSION)
        if agreed < max(least, LEAST_MICROVERSION):
            raise NotPlacement(
                self._session.url,
                f"speaks the microversions {_dotted(least)} to {_dotted(newest)}, and one from "
                f"{_dotted(LEAST_MICROVERSION)} (OpenStack Rocky) to {_dotted(NEWEST_MICROVERSION)} is needed",
            )
        return _dotted(agreed)

    def _read(self, reader: Callable[[], T]) -> T:
        """Take an answer apart; one that is made otherwise is none of Placement's."""
        try:
            return reader()
        except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
            raise NotPlacement(self._session.url, "answers as no Placement does") from None


def _standing(item: Mapping[str, Any]) -> Standing:
    return Standing(uuid=str(item["uuid"]), name=str(item["name"]), generation=int(item["generation"]))


def _generation(body: Mapping[str, Any]) -> int:
    return int(body["resource_provider_generation"])


def _microversions(body: Mapping[str, Any]) -> tuple[tuple[int, int], tuple[int, int]]:
    version = body["versions"][0]
    least, newest = (str(version[key]).split(".") for key in ("min_version", "max_version"))
    return (int(least[0]), int(least[1])), (int(newest[0]), int(newest[1]))


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
