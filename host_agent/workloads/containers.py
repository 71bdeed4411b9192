# SPDX-License-Identifier: Apache-2.0
"""The containers behind a socket that speaks Docker's API, each of them inspected once and not at every look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from host_agent.workloads.container_json import (
    NO_LIMITS,
    ContainerLimits,
    EngineInformation,
    ListedContainer,
    parse_container,
    parse_information,
    parse_limits,
)
from host_agent.workloads.unix_http import AnswerUnreadable, RequestRefused, UnixHttp
from host_agent.workloads.workload import Workload

__all__ = ["Containers", "information"]

_GONE = 404


class Containers:
    """Remembers the limits of containers, which no list tells and which rarely change while a container exists."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._limits: dict[str, ContainerLimits] = {}

    def forget(self, share: float) -> float:
        """Inspect a share of them anew at the next look, those that were inspected longest ago.

        Args:
            share: 1 and more is all of them.

        Returns:
            what it comes to in whole containers; `share` itself where it is all of them.
        """
        known = list(self._limits)
        due = known[: int(len(known) * share)]
        for identifier in due:
            del self._limits[identifier]
        return len(due) / len(known) if len(due) < len(known) else share

    def look(self, http: UnixHttp) -> tuple[Workload, ...]:
        """Give all containers, stopped ones too: one request for the list, and one for each that is new.

        Raises:
            UnixHttpError: the list could not be had, or the connection broke; what was learned until then is kept.
        """
        answer = http.get("/containers/json?all=1")
        if not isinstance(answer, list):
            raise AnswerUnreadable(http.path, "the list of containers is no list")
        listed = [container for container in map(parse_container, answer) if container is not None]
        for identifier in self._limits.keys() - {container.id for container in listed}:
            del self._limits[identifier]
        new = [container for container in listed if container.id not in self._limits]
        limits = dict(self._inspect(http, new)) | self._limits
        return tuple(
            container.workload(self._engine, limits[container.id]) for container in listed if container.id in limits
        )

    def _inspect(self, http: UnixHttp, new: Sequence[ListedContainer]) -> Iterator[tuple[str, ContainerLimits]]:
        """Learn the limits of new containers; yield those to be asked for again, and leave out what is gone."""
        targets = [f"/containers/{quote(container.id, safe='', errors='replace')}/json" for container in new]
        for container, answer in zip(new, http.get_each(targets), strict=True):
            if not isinstance(answer, RequestRefused):
                self._limits[container.id] = parse_limits(answer)
            elif answer.status != _GONE:
                yield container.id, NO_LIMITS


def information(http: UnixHttp) -> EngineInformation:
    """Ask the engine about itself.

    Raises:
        UnixHttpError: it did not answer, or not as an engine does.
    """
    answer = http.get("/info")
    if not isinstance(answer, dict):
        raise AnswerUnreadable(http.path, "what it says of itself is no object")
    return parse_information(answer)
