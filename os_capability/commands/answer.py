# SPDX-License-Identifier: Apache-2.0
"""What a command answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["EXIT_DONE", "EXIT_NO", "Answer", "UsageError", "json_text", "takes_colour", "yaml_text"]

EXIT_DONE, EXIT_NO = 0, 1


class Answer(NamedTuple):
    """The text to print, and the exit code: 1 where the answer is "no"."""

    text: str
    exit_code: int = EXIT_DONE


class UsageError(Exception):
    """The command was asked for something that cannot be."""


def json_text(value: object) -> str:
    """Write a value of dicts, lists and scalars as JSON."""
    import json

    return json.dumps(value, indent=2, ensure_ascii=False)


def yaml_text(document: Mapping[str, object]) -> str:
    """Write a document as YAML.

    Raises:
        UsageError: PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError:
        raise UsageError("-f yaml needs PyYAML: pip install 'os-capability[yaml]', or use -f json") from None
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return text.rstrip("\n")


def takes_colour() -> bool:
    """Tell whether a person looks at the answer on a terminal that has colours."""
    return (
        sys.stdout is not None
        and sys.stdout.isatty()
        and "NO_COLOR" not in os.environ
        and os.environ.get("TERM") != "dumb"
    )
