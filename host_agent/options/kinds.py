# SPDX-License-Identifier: Apache-2.0
"""Kinds of values: how an option's text is read, which texts it takes, and how a value is written again."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from oslo_config import cfg, types

__all__ = [
    "ABSOLUTE_PATH",
    "ADDRESS",
    "HEADER",
    "HTTP_URL",
    "LOOPBACK",
    "NAME",
    "SOME_TEXT",
    "Parsed",
    "allowed",
    "is_loopback",
    "value_of",
    "written",
]

# \Z, for $ lets a line's end pass: the variable may come from a file that has one.
NAME = r"^\S{1,255}\Z"
ABSOLUTE_PATH = r"^/"
SOME_TEXT = r"\S"
LOOPBACK = r"^(127(\.\d{1,3}){3}|\[::1\]|localhost):\d{1,5}\Z"
ADDRESS = r"^(\d{1,3}(\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\]|localhost):\d{1,5}\Z"
HTTP_URL = r"^https?://[^\s/]"
# Whoever sends anything else in a header quotes it in his error, and this is secret.
HEADER = r"^[!-~]+\Z"

_WORDS = {
    NAME: "a name of up to 255 characters, without spaces",
    ABSOLUTE_PATH: "an absolute path",
    SOME_TEXT: "a text that is not empty",
    LOOPBACK: "127.0.0.1:PORT, [::1]:PORT or localhost:PORT",
    ADDRESS: "ADDRESS:PORT, an IPv6 address in brackets",
    HTTP_URL: "a URL that starts with http:// or https://",
    HEADER: "printable ASCII characters, without spaces",
}
# Between the values of an option that may be given several times, where they stand in one text.
_REPEATED = ";"


class Parsed(types.ConfigType):
    """A kind of value of our own.

    Attributes:
        allowed: the texts it takes, in words.
    """

    def __init__(self, read: Callable[[str], object], allowed: str) -> None:
        """Prepare.

        Args:
            read: gives the value of a text, or raises `ValueError`, whose text says why not.
            allowed: the texts it takes, in words.
        """
        super().__init__(type_name="value")
        self.allowed = allowed
        self._read = read

    def __call__(self, value: str) -> object:
        """Give the value of a text."""
        return self._read(value)

    def _formatter(self, value: object) -> str:
        return written(value)


def value_of(option: cfg.Opt, text: str) -> object:
    """Give the value that `option` has where somebody wrote `text`.

    Raises:
        ValueError: it is not allowed; of a `Parsed` option the error's text says why.
    """
    if option.multi:
        return tuple(option.type(part.strip()) for part in text.split(_REPEATED) if part.strip())
    value = option.type(text)
    # oslo.config takes an empty text for a number that is not there, and nan for one within any bounds.
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise ValueError("no number")
    return value


def is_loopback(address: str) -> bool:
    """Tell whether an ``ADDRESS:PORT`` is of the loopback; what ``localhost`` is only a resolver knows."""
    return re.match(LOOPBACK, address) is not None


def written(value: object) -> str:
    """Write a value as it could be given."""
    match value:
        case bool():
            return str(value).lower()
        case Mapping():
            return ",".join(f"{key}={item}" for key, item in value.items())
        case tuple() if any("," in written(item) for item in value):
            return _REPEATED.join(written(item) for item in value)
        case tuple():
            return ",".join(written(item) for item in value) or "none"
        case _:
            return str(value)


def allowed(option: cfg.Opt) -> str:
    """Say in words which values `option` takes."""
    match option.type:
        case Parsed(allowed=words):
            return words
        case types.Integer(min=least, max=most):
            return f"a whole number from {least} to {most}"
        case types.Float(min=least, max=most):
            return f"a number from {least} to {most}"
        case types.Boolean():
            return "true or false"
        case types.String(choices=choices) if choices:
            return "one of " + ", ".join(choices)
        case types.String(regex=regex) if regex:
            return _WORDS[regex.pattern]
        case _:
            return "an IPv4 or IPv6 address"
