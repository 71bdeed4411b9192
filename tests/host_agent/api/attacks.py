# SPDX-License-Identifier: Apache-2.0
"""What is sent by those who mean ill, and by programs that are broken: values, bodies, headers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from host_agent.api.operation import Schema

__all__ = ["HEADERS", "ODD", "RAW", "TEXTS", "broken_bodies", "wrong_values"]

# What a word of SQL, a path, a number or a name must not turn into something else.
SQL = (
    "' OR '1'='1",
    "1'; DROP TABLE compute_host; --",
    '1" OR 1=1 --',
    "1) UNION SELECT * FROM api_tokens --",
    "1 OR pg_sleep(5)",
    "1' AND SLEEP(5) #",
    "\\' OR 1=1 -- ",
    "%' OR host LIKE '%",
)
# What databases differ in taking.
TEXTS = (*SQL, "\0", "node-1\0", "9" * 30, "9" * 5000, "x" * 8000, "☃" * 300, "\U0001f4a9", "%s%s%s%n")
ODD = (
    *("..", "../../etc/passwd", "....//....//etc/passwd"),
    *("-1", "0", "+7", "1e5", "0x10", "1_000", "٣", "NaN"),
    *("\ufeff", "\r\nX-Injected: 1", "<script>alert(1)</script>", "{{7*7}}", "${jndi:ldap://127.0.0.1/}", "null", "[]"),
)
# As they stand in the request: what no quoting gives.
RAW = (
    *("%ff%fe", "%c0%ae%c0%ae", "%ed%a0%80", "%", "%zz", "%2e%2e%2f", "%00", "%252e%252e", "a%2fb", "+"),
    "%0d%0aSet-Cookie:a=b",
)

HEADERS: tuple[dict[str, str], ...] = (
    {"OpenStack-API-Version": "x" * 60_000},
    {"OpenStack-API-Version": "compute " + "9" * 5000 + ".1"},
    {"OpenStack-API-Version": ",".join(["compute 2.1"] * 5000)},
    {"OpenStack-API-Version": "compute 2.٣"},
    {"OpenStack-API-Version": "compute 2.1\r\nX-Injected: 1"},
    {"OpenStack-API-Version": "compute ' OR 1=1"},
    {"OpenStack-API-Version": "container " + "9" * 5000 + ".1"},
    {"X-OpenStack-Nova-API-Version": "\0"},
    {"Accept": "x" * 60_000},
    {"Accept": "*/*;q=x,,,;"},
    {"Content-Type": "application/x-www-form-urlencoded; charset=no-such"},
    {"Content-Length": "-1"},
    {"Content-Length": "x"},
    {"Content-Length": "9" * 40},
    {"If-None-Match": '"' * 5000},
    {"Range": "bytes=0-0,0-0,0-0"},
    {"X-Forwarded-Host": "<script>"},
    {"Cookie": "a" * 60_000},
    {f"X-Flood-{number}": "x" for number in range(2000)},
)


def broken_bodies() -> Iterator[tuple[str, bytes]]:
    deep = 250_000
    yield "nothing", b""
    yield "half a body", b'{"host": '
    yield "lists in lists", b"[" * deep + b"]" * deep
    yield "lists that do not end", b"[" * deep
    yield "objects in objects", b'{"a":' * deep + b"1" + b"}" * deep
    yield "just too deep", b'{"a":' * 70 + b"1" + b"}" * 70
    yield "a long number", b'{"vcpus": ' + b"9" * 100_000 + b"}"
    yield "a long fraction", b'{"vcpus": 0.' + b"9" * 100_000 + b"}"
    yield "a huge exponent", b'{"vcpus": 1e999999999}'
    yield "NaN", b'{"vcpus": NaN}'
    yield "Infinity", b'{"vcpus": -Infinity}'
    yield "a key twice", b'{"host": "node-1", "host": 7}'
    yield "half a surrogate", b'{"host": "\\ud800"}'
    yield "no UTF-8", b'{"host": "\xff\xfe"}'
    yield "UTF-16", '{"host": "node-1"}'.encode("utf-16")
    yield "a byte order mark", b'\xef\xbb\xbf{"host": "node-1"}'
    yield "a NUL", b'{"host": "\\u0000"}'
    yield "an array", b"[]"
    yield "null", b"null"
    yield "a text", b'"host"'
    yield "a form", b"host=node-1&vcpus=1"
    yield "XML", b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]><x>&y;</x>"
    yield "a million keys", b"{" + b",".join(b'"%d":1' % number for number in range(100_000)) + b"}"


def wrong_values(schema: Schema, value: object) -> Iterator[tuple[str, object]]:
    """Give bodies with one thing wrong: each member of another type, gone, or of no member's name."""
    texts = ("", "x" * 300, "a\0b", "' OR 1=1 --")
    others: tuple[object, ...] = (None, True, 7, -1, 2**70, 1.5, *texts, [], [[]], {}, {"a": 1})
    validator = Draft202012Validator(schema)
    for path in places(value):
        for other in others:
            body = with_value(value, path, other)
            if not validator.is_valid(body):
                yield f"{'.'.join(map(str, path))} = {other!r}"[:80], body


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from places(member, (*path, name))
    if isinstance(value, dict):
        yield (*path, "no-such-member")


def with_value(value: Any, path: tuple[Any, ...], other: object) -> object:
    if not path:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = with_value(value.get(path[0]) if isinstance(value, dict) else value[path[0]], path[1:], other)
    return copy
