# SPDX-License-Identifier: Apache-2.0
"""Event: something that changed on a host, as the agent tells it and the table ``events`` keeps it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["CODES", "Event"]

# Beside these: every code of the library's changes (docs/changes.md). docs/events.md has them all.
CODES: Mapping[str, str] = {
    "host-registered": "the host is in the table for the first time",
    "host-down": "the host was not heard of for longer than down_after; told when it is heard again",
    "host-up": "the host is heard again",
    "identity-adopted": "the host had lost its uuid and took that of its row back, or an operator gave it that uuid",
    "identity-reset": "the host was given a new uuid by an operator",
    "identity-duplicate": "another machine that is alive claims the uuid: a cloned image",
    "name-taken-over": "the host has the name of one that is not heard of any more",
    "host-retired": "an operator retired the host",
    "host-restored": "an operator took the host back",
    "host-deleted": "an operator deleted the host's service, and all that was kept of the host",
    "service-disabled": "an operator wants nothing new on the host",
    "service-enabled": "an operator wants new workloads on the host again",
    "service-forced-down": "an operator says that the host is down, whatever is heard of it",
    "service-forced-up": "the host counts as up again when it is heard",
    "aggregate-created": "an operator made a group of hosts",
    "aggregate-updated": "a group of hosts has another name, availability zone or metadata",
    "aggregate-deleted": "an operator removed a group of hosts",
    "aggregate-host-added": "the host is in a group that it was not in",
    "aggregate-host-removed": "the host is in a group no more",
    "workload-missing": "a workload is recorded for the host, and is not on it",
    "workload-found": "a workload that was missing is on the host again",
    "flapping": "changes of one kind on the same thing that came again and again, told as one",
    "events-lost": "events of this host gave way because the spool was full",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that changed on this host.

    Attributes:
        code: stable; see `CODES`.
        message: one line for a person.
        detail: the same for a program, in JSON values.
        at: when, by this host's clock, in UTC.
        boot_id: the boot in which it was noticed.
        sequence: microseconds since that boot; from it the database's time of the event follows, whatever the clock.
        uuid: what is delivered twice is stored once.
    """

    code: str
    message: str
    detail: Mapping[str, object] = field(hash=False)
    at: datetime
    boot_id: str | None
    sequence: int
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))

    def to_dict(self) -> dict[str, object]:
        """Give the event in JSON values."""
        return {
            "uuid": self.uuid,
            "code": self.code,
            "message": self.message,
            "detail": dict(self.detail),
            "at": self.at.isoformat(),
            "boot_id": self.boot_id,
            "sequence": self.sequence,
        }

    @classmethod
    def from_dict(cls, data: object) -> Event:
        """Read back what `to_dict` gave.

        Raises:
            ValueError: it is something else.
        """
        match data:
            case {
                "uuid": str(key),
                "code": str(code),
                "message": str(message),
                "detail": dict(detail),
                "at": str(at),
                "boot_id": str() | None as boot_id,
                "sequence": int(sequence),
            }:
                moment = datetime.fromisoformat(at)
                # What the table cannot hold would stand in the way of all that comes after it.
                fits = len(code) <= 255 and len(boot_id or "") <= 36 and 0 <= sequence < 2**63
                if fits and moment.tzinfo is not None:
                    return cls(
                        uuid=str(uuid.UUID(key)),
                        code=code,
                        message=message,
                        detail=detail,
                        at=moment,
                        boot_id=boot_id,
                        sequence=sequence,
                    )
        raise ValueError("not an event")
