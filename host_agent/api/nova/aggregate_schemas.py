# SPDX-License-Identifier: Apache-2.0
"""JSON Schemas of ``os-aggregates``: what may be asked, and what is answered."""

from __future__ import annotations

from host_agent.api.nova.schemas import (
    HOST,
    NAME,
    PADDED_NAME,
    TEXT,
    TEXT_OR_NULL,
    TIME_OR_NULL,
    UUID,
    ZONE,
    array_of,
    object_of,
)
from host_agent.api.operation import Schema

__all__ = ["ACTION", "AGGREGATE", "AGGREGATE_2_41", "CREATE", "MADE", "MADE_2_41", "UPDATE", "listed", "one"]

_HOST: Schema = object_of({"host": HOST})
_METADATA: Schema = {
    "type": "object",
    "patternProperties": {"^[a-zA-Z0-9-_:. ]{1,255}$": {"type": ["string", "null"], "maxLength": 255}},
    "additionalProperties": False,
}

CREATE: Schema = object_of(
    {
        "aggregate": {
            "type": "object",
            "properties": {"name": NAME, "availability_zone": ZONE},
            "required": ["name"],
            "additionalProperties": False,
        }
    }
)
UPDATE: Schema = object_of(
    {
        "aggregate": {
            "type": "object",
            "properties": {"name": PADDED_NAME, "availability_zone": ZONE},
            "additionalProperties": False,
            "anyOf": [{"required": ["name"]}, {"required": ["availability_zone"]}],
        }
    }
)
# Exactly one of these; of what is none of them Nova says something else than that.
ACTION: Schema = {
    "type": "object",
    "properties": {
        "add_host": _HOST,
        "remove_host": _HOST,
        "set_metadata": object_of({"metadata": _METADATA}),
    },
}

MADE: Schema = {
    "id": {"type": "integer"},
    "name": TEXT,
    "created_at": TIME_OR_NULL,
    "updated_at": TIME_OR_NULL,
    "deleted_at": {"type": "null"},
    "deleted": {"const": False},
    "availability_zone": TEXT_OR_NULL,
}
MADE_2_41: Schema = {**MADE, "uuid": UUID}
AGGREGATE: Schema = {
    **MADE,
    "hosts": array_of(TEXT),
    "metadata": {"type": "object", "additionalProperties": TEXT},
}
AGGREGATE_2_41: Schema = {**AGGREGATE, "uuid": UUID}


def one(aggregate: Schema) -> Schema:
    """Give the schema of an answer with one aggregate that has these members."""
    return object_of({"aggregate": object_of(aggregate)})


def listed(aggregate: Schema) -> Schema:
    """Give the schema of an answer with all aggregates, each with these members."""
    return object_of({"aggregates": array_of(object_of(aggregate))})
