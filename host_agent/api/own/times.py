# SPDX-License-Identifier: Apache-2.0
"""Times as this API writes and reads them: RFC 3339; written in UTC, to the microsecond where there is a fraction."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from host_agent.api.errors import BadRequest

__all__ = ["parse_time", "time_text"]

_FORM = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def time_text(moment: object) -> str | None:
    """Write a time of the database; ``None`` stays."""
    if not isinstance(moment, datetime):
        return None
    return moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat() + "Z"


def parse_time(text: str, parameter: str) -> datetime:
    """Read a time, in any zone, of a query parameter.

    Raises:
        BadRequest: it is none.
    """
    # An offset's plus sign that was not encoded has come as a space.
    found = _FORM.fullmatch(text.replace(" ", "+"))
    try:
        if found is None:
            raise ValueError(text)
        date, time, fraction, zone = found.groups()
        offset = "+00:00" if zone in "Zz" else zone
        moment = datetime.fromisoformat(f"{date}T{time}.{(fraction or '0')[:6]:0<6}{offset}")
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise BadRequest(
            f"Invalid input for query parameters {parameter}. Value: {text}. Expected a time of RFC 3339, such as "
            "2026-01-31T12:00:00Z"
        ) from None
