# SPDX-License-Identifier: Apache-2.0
"""JSON Schemas that several resources share: what fits them fits the columns, on every database."""

from __future__ import annotations

from host_agent.api.operation import Schema
from host_agent.workloads.workload import MOST_VCPUS

__all__ = ["NAME", "SIZE", "TIME", "UUID", "VCPUS", "or_null", "whole"]

UUID: Schema = {"type": "string", "format": "uuid"}
TIME: Schema = {"type": "string", "format": "date-time"}

# No control characters: PostgreSQL takes no NUL, and the others steer the terminals of those who read them. What
# follows the dollar sign is for Python, to which a newline at the very end is no character.
NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[^\x00-\x1f\x7f]*$(?!\n)"}
SIZE: Schema = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
VCPUS: Schema = {"type": "number", "minimum": 0, "maximum": MOST_VCPUS}


def or_null(schema: Schema) -> Schema:
    """Give a schema that takes ``null`` as well, which is unknown."""
    return {**schema, "type": [schema["type"], "null"]}


def whole(number: float | None) -> int | None:
    """Give an integer of a body: JSON Schema takes 1.0 for one as well."""
    return None if number is None else int(number)
