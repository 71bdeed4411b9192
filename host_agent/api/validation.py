# SPDX-License-Identifier: Apache-2.0
"""Every input against its JSON Schema; what is said of a wrong one is what Nova says, which clients show to people."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from host_agent.api.errors import BadRequest
from host_agent.api.operation import Schema

__all__ = ["FORMATS", "InvalidFormat", "decoded", "validate_body", "validate_query"]

# JSON Schema's own; whoever has more of them adds them here.
FORMATS = FormatChecker()
_DEEPEST = 64


class InvalidFormat(ValueError):
    """A text is not of its format; this one tells the client so in its own words."""


def decoded(body: bytes) -> object:
    """Give the value of a body in JSON.

    Raises:
        BadRequest: it is none, or it is nested too deeply.
    """
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("Malformed request body") from None
    _refuse_depth(value, _DEEPEST)
    return value


def validate_body(body: object, schema: Schema) -> None:
    """Refuse a body that does not fit.

    Raises:
        BadRequest: names the field, its value and what is allowed.
    """
    error = _first_error(body, schema)
    if error is not None:
        raise BadRequest(_message(error, "field/attribute", error.path[-1] if error.path else None))


def validate_query(query: Mapping[str, list[str]], schema: Schema) -> None:
    """Refuse a query that does not fit.

    Raises:
        BadRequest: names the parameter, its value and what is allowed.
    """
    error = _first_error(dict(query), schema)
    if error is not None:
        # Below a parameter's name there is only the index of its value.
        raise BadRequest(_message(error, "query parameters", error.path[0] if error.path else None))


def _message(error: ValidationError, kind: str, name: object) -> str:
    if isinstance(error.cause, InvalidFormat):
        return str(error.cause)
    # A pattern that ends so takes no end of line at the end of a text, which nobody needs to read.
    complaint = str(error.message).replace(r"(?!\\n)", "")
    if name is None:
        return complaint
    return f"Invalid input for {kind} {name}. Value: {error.instance}. {complaint}"


def _first_error(value: object, schema: Schema) -> ValidationError | None:
    return next(_validator(_Key(schema)).iter_errors(value), None)


class _Key:
    """A schema as the key of a cache: schemas are constants, told apart by where they are."""

    __slots__ = ("schema",)

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def __hash__(self) -> int:
        return id(self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.schema is other.schema


@cache
def _validator(key: _Key) -> Any:
    return Draft202012Validator(key.schema, format_checker=FORMATS)


def _refuse_depth(value: object, depth: int) -> None:
    if depth == 0:
        raise BadRequest("Malformed request body")
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for member in members:
        if isinstance(member, dict | list):
            _refuse_depth(member, depth - 1)
