# SPDX-License-Identifier: Apache-2.0
"""Frozen values <-> the versioned JSON document. The only serialiser.

The shape comes from the model's own fields and annotations, so a new fact is one new field there. CPU sets become
kernel list strings, times RFC 3339 UTC, mappings objects with string keys.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from datetime import datetime, timezone
from typing import Any, TypeVar, Union

from os_capability.cpuset import CpuSet
from os_capability.errors import InvalidCpuSet, InvalidDocument

__all__ = ["SCHEMA", "from_document", "to_document"]

SCHEMA = "os-capability/1"

# Nothing of a machine is counted beyond this, and nothing that reads the document has to cope with more.
_MOST_BITS = 64

_Value = TypeVar("_Value")


def to_document(value: object) -> dict[str, object]:
    """Give the document of a frozen value, ``schema`` first."""
    return {"schema": SCHEMA, **_encode_fields(value)}


def from_document(cls: type[_Value], data: Mapping[str, object]) -> _Value:
    """Build a `cls` from its document; keys it does not know are ignored, absent ones are unknown where they may be.

    Raises:
        InvalidDocument: names the path of the key at fault.
    """
    if not isinstance(data, Mapping):
        raise InvalidDocument("(top)", f"expected an object, not {_kind(data)}")
    if data.get("schema") != SCHEMA:
        raise InvalidDocument("schema", f"expected {SCHEMA!r}, not {data.get('schema')!r}")
    return _decode_fields(cls, data, "")


def _encode(value: object) -> object:
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, CpuSet):
        return str(value)
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    if isinstance(value, datetime):
        return _rfc3339(value)
    if isinstance(value, Mapping):
        return {str(key): _encode(item) for key, item in value.items()}
    return _encode_fields(value)


def _encode_fields(value: object) -> dict[str, object]:
    return {name: _encode(getattr(value, name)) for name in value.__dataclass_fields__}  # type: ignore[attr-defined]


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def _decode_fields(cls: type[_Value], data: Mapping[str, object], path: str) -> _Value:
    hints = _hints(cls)
    values: dict[str, object] = {}
    for described in fields(cls):  # type: ignore[arg-type]
        name = described.name
        where = f"{path}.{name}" if path else name
        if name in data:
            values[name] = _decode(hints[name], data[name], where)
        elif not _has_default(described):
            if not _may_be_unknown(hints[name]):
                raise InvalidDocument(where, "is absent")
            values[name] = None
    return cls(**values)


def _may_be_unknown(hint: Any) -> bool:
    return type(None) in getattr(hint, "__args__", ())


def _has_default(described: Field[Any]) -> bool:
    return described.default is not MISSING or described.default_factory is not MISSING


_hints_of: dict[type, dict[str, Any]] = {}


def _hints(cls: type) -> dict[str, Any]:
    """Resolve a class's annotations once: `typing.get_type_hints` compiles every one of them at each call."""
    if cls not in _hints_of:
        from typing import get_type_hints  # only reading a document needs it, showing a machine does not

        _hints_of[cls] = get_type_hints(cls)
    return _hints_of[cls]


def _decode(hint: Any, value: object, path: str) -> object:
    origin = getattr(hint, "__origin__", None)
    if origin is Union or isinstance(hint, types.UnionType):
        if value is None:
            return None
        (hint,) = (choice for choice in hint.__args__ if choice is not type(None))
        return _decode(hint, value, path)
    if origin is tuple:
        items = _expect(list, value, path)
        return tuple(_decode(hint.__args__[0], item, f"{path}[{at}]") for at, item in enumerate(items))
    if origin is not None:
        key_hint, item_hint = hint.__args__
        entries = _expect(dict, value, path)
        return {_key(key_hint, key, path): _decode(item_hint, item, f"{path}.{key}") for key, item in entries.items()}
    if hasattr(hint, "__dataclass_fields__"):
        return _decode_fields(hint, _expect(dict, value, path), path)
    return _scalar(hint, value, path)


def _scalar(hint: Any, value: object, path: str) -> object:
    if hint is CpuSet:
        try:
            return CpuSet.parse_list(_expect(str, value, path))
        except InvalidCpuSet as error:
            raise InvalidDocument(path, str(error)) from None
    if hint is datetime:
        text = _expect(str, value, path)
        try:
            moment = datetime.fromisoformat(text.replace("Z", "+00:00"))  # 3.10 does not read the Z
            in_utc = moment.astimezone(timezone.utc)
        except (ValueError, OverflowError):  # in the year 1 there are times that UTC cannot tell
            raise InvalidDocument(path, f"not an RFC 3339 time: {text!r}") from None
        if moment.tzinfo is None:
            raise InvalidDocument(path, f"a time without its zone: {text!r}")
        return in_utc
    if type(value) is int and value.bit_length() > _MOST_BITS:
        raise InvalidDocument(path, "a number too large to be measured")
    if hint is float and type(value) is int:
        return float(value)
    return _expect(hint, value, path)


def _expect(kind: type[_Value], value: object, path: str) -> _Value:
    # Exactly this type: True is an int to isinstance(), but no count.
    if type(value) is not kind:
        raise InvalidDocument(path, f"expected {_NAMES[kind]}, not {_kind(value)}")
    return value


def _key(hint: Any, key: object, path: str) -> object:
    try:
        return hint(key)
    except (TypeError, ValueError):
        raise InvalidDocument(path, f"the key {key!r} is not {_NAMES[hint]}") from None


_NAMES: dict[type, str] = {
    bool: "true or false",
    dict: "an object",
    float: "a number",
    int: "an integer",
    list: "a list",
    str: "a string",
    type(None): "null",
}


def _kind(value: object) -> str:
    return _NAMES.get(type(value), type(value).__name__)
