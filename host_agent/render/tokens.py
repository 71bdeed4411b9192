# SPDX-License-Identifier: Apache-2.0
"""The tokens of the API, of which nobody knows more than who bears them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from host_agent.render.text import columns, plain, rfc3339

__all__ = ["tokens_json", "tokens_table"]

_HEADING = ("NAME", "ROLE", "CREATED", "EXPIRES")


def tokens_table(tokens: Sequence[Mapping[str, object]]) -> str:
    """Give one line for each token."""
    rows = [
        (plain(str(token["name"])), str(token["role"]), _time(token["created_at"]), _expiry(token)) for token in tokens
    ]
    return columns([_HEADING, *rows])


def tokens_json(tokens: Sequence[Mapping[str, object]]) -> str:
    """Give the tokens as a JSON list."""
    texts = [
        {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in token.items()}
        for token in tokens
    ]
    return json.dumps(texts, indent=2, ensure_ascii=False)


def _expiry(token: Mapping[str, object]) -> str:
    at = _time(token["expires_at"])
    return f"{at}, expired" if token["is_expired"] else at


def _time(moment: object) -> str:
    return rfc3339(moment) if isinstance(moment, datetime) else "never"
