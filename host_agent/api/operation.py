# SPDX-License-Identifier: Apache-2.0
"""What the API can be asked: one value for each method of each path, with its versions, schemas and permission."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from host_agent.api.identity import Identity
from host_agent.api.microversion import Microversion
from host_agent.api.request_counts import Counted
from host_agent.settings import Settings
from host_agent.store.engine import Engine

__all__ = ["ADMIN", "PUBLIC", "READER", "WRITER", "Answer", "Call", "Handler", "Operation", "Schema", "Variant"]

Schema: TypeAlias = Mapping[str, Any]

# Least roles of a token; each may do what the ones before it may. Anybody may do what is public.
PUBLIC, READER, WRITER, ADMIN = "public", "reader", "writer", "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that may be answered: its sender may ask, its version is served, its inputs fit their schemas.

    Attributes:
        version: as negotiated; ``None`` where the path has no versions.
        path: the parts of the path that its template names.
        query: every parameter with all its values, in their order.
        body: decoded; ``None`` without one.
        url: scheme, host and path, without the query: what links to this resource are made of.
        root_url: scheme and host alone.
        requests: what all processes of this service counted.
    """

    engine: Engine
    settings: Settings
    identity: Identity
    request_id: str
    version: Microversion | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    url: str = ""
    root_url: str = ""
    requests: Iterable[Counted] = ()

    def parameter(self, name: str) -> str | None:
        """Give the last value of a query parameter, ``None`` where it is not there."""
        values = self.query.get(name)
        return values[-1] if values else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a handler gives where a body and the operation's own status do not say all.

    Attributes:
        body: made JSON, unless it is bytes already; ``None`` is no body at all.
        status: ``None`` is the operation's own.
    """

    body: object = None
    status: int | None = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


# Gives an `Answer`, or the body of one.
Handler: TypeAlias = Callable[[Call], object]


class Variant:
    """How an operation is answered between two versions.

    Attributes:
        since, until: the first and the last version; ``None`` is the API's own first or last.
        query: JSON Schema of the query, each parameter an array of texts; ``None`` takes and ignores any.
        body: JSON Schema of the body; ``None`` reads none.
        returns: JSON Schema of the answer's body, as documented; ``None`` is the operation's own.
    """

    __slots__ = ("body", "handler", "query", "returns", "since", "until")

    def __init__(
        self,
        handler: Handler,
        since: str | None = None,
        until: str | None = None,
        *,
        query: Schema | None = None,
        body: Schema | None = None,
        returns: Schema | None = None,
    ) -> None:
        self.handler = handler
        self.since = None if since is None else Microversion.parse(since)
        self.until = None if until is None else Microversion.parse(until)
        self.query = query
        self.body = body
        self.returns = returns

    def serves(self, version: Microversion | None) -> bool:
        """Tell whether this is the variant of a version."""
        if version is None:
            return True
        return not ((self.since and version < self.since) or (self.until and version > self.until))


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    Attributes:
        summary: what it does, as one sentence.
        variants: by version, oldest first; a version that none serves does not have the operation.
        rule: the name of its policy in Keystone's world; where the body names an action, that of each action.
        role: the least role of a token that may.
        status: of the answer where all is well.
        returns: JSON Schema of the answer's body, as documented; ``None`` where there is none.
        also: further statuses of answers where all is well, as 201 where a PUT creates.
        faults: statuses of its own errors, besides those that follow from its role, its versions and its schemas.
        produces: media types of the answer, of which the client chooses one.
    """

    summary: str
    variants: tuple[Variant, ...]
    rule: str | Mapping[str, str]
    role: str = READER
    status: int = 200
    returns: Schema | None = None
    also: tuple[int, ...] = ()
    faults: tuple[int, ...] = ()
    produces: tuple[str, ...] = ("application/json",)

    @property
    def rules(self) -> tuple[str, ...]:
        """Give the names of all its policies."""
        return (self.rule,) if isinstance(self.rule, str) else tuple(self.rule.values())

    def variant(self, version: Microversion | None) -> Variant | None:
        """Give the variant that serves a version."""
        return next((variant for variant in self.variants if variant.serves(version)), None)
