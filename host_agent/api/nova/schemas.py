# SPDX-License-Identifier: Apache-2.0
"""JSON Schemas that several of Nova's resources share, and its rules for names."""

from __future__ import annotations

from collections.abc import Callable

from host_agent.api.operation import Schema
from host_agent.api.validation import FORMATS, InvalidFormat

__all__ = [
    "ANY_TEXTS",
    "BOOLEAN",
    "HOST",
    "NAME",
    "NO_QUERY",
    "PADDED_NAME",
    "TEXT",
    "TEXT_OR_NULL",
    "TIME",
    "TIME_OR_NULL",
    "TRUE_WORDS",
    "UUID",
    "WORDS",
    "ZONE",
    "array_of",
    "object_of",
]

_NAME, _PADDED_NAME, _ZONE = "name", "padded-name", "zone-name"
# As its times are written: in UTC, and without saying so.
_TIME_PATTERN = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$"

# Those of oslo.utils, in the order in which Nova's messages name them.
TRUE_WORDS = ("True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes")
_FALSE_WORDS = ("False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no")

NO_QUERY: Schema = {"type": "object", "properties": {}, "additionalProperties": False}
ANY_TEXTS: Schema = {"type": "array", "items": {"type": "string"}}

WORDS: Schema = {"enum": [True, *TRUE_WORDS, False, *_FALSE_WORDS]}
BOOLEAN: Schema = {"type": ["boolean", "string"], **WORDS}
# Not all that may be a host name, and some that may not: what Nova takes for one.
HOST: Schema = {"type": "string", "pattern": "^[a-zA-Z0-9-._]*$", "minLength": 1, "maxLength": 255}
NAME: Schema = {"type": "string", "format": _NAME, "minLength": 1, "maxLength": 255}
PADDED_NAME: Schema = {"type": "string", "format": _PADDED_NAME, "minLength": 1, "maxLength": 255}
ZONE: Schema = {
    "oneOf": [{"type": "string", "format": _ZONE, "minLength": 1, "maxLength": 255}, {"type": "null"}],
}

TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
UUID: Schema = {"type": "string", "format": "uuid"}
TIME: Schema = {"type": "string", "pattern": _TIME_PATTERN}
TIME_OR_NULL: Schema = {"type": ["string", "null"], "pattern": _TIME_PATTERN}


def object_of(properties: Schema) -> Schema:
    """Give the schema of an object that has all these members and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def array_of(items: Schema) -> Schema:
    """Give the schema of a list."""
    return {"type": "array", "items": items}


def _is_name(text: str) -> bool:
    return text.isprintable() and text == text.strip()


def _format(name: str, is_right: Callable[[str], bool], rule: str) -> None:
    """Make a format known; of the empty text its schema's ``minLength`` tells more."""

    def check(value: object) -> bool:
        if isinstance(value, str) and value and not is_right(value):
            raise InvalidFormat(f"An invalid 'name' value was provided. The name must be: {rule}")
        return True

    FORMATS.checks(name, raises=InvalidFormat)(check)


_format(_NAME, _is_name, "printable characters. Can not start or end with whitespace.")
_format(
    _PADDED_NAME,
    lambda text: bool(text.strip()) and text.strip().isprintable(),
    "printable characters with at least one non space character",
)
_format(
    _ZONE,
    lambda text: _is_name(text) and ":" not in text,
    "printable characters except :. Can not start or end with whitespace.",
)
