# SPDX-License-Identifier: Apache-2.0
"""Ages and times as a person types them."""

from __future__ import annotations

import argparse
import re
from datetime import datetime, timedelta, timezone

__all__ = ["age_seconds", "moment"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def age_seconds(text: str) -> int:
    """Give the seconds of ``90s``, ``30m``, ``2h``, ``3d`` or ``1w``.

    Raises:
        ArgumentTypeError: it is none of these.
    """
    match = re.fullmatch(r"([0-9]{1,6})([smhdw])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no age: give 90s, 30m, 2h, 3d or 1w")
    return int(match[1]) * _UNITS[match[2]]


def moment(text: str) -> datetime:
    """Give the time that lies an age back, or that of RFC 3339 (``2026-11-21T03:00Z``; UTC where it does not say).

    Raises:
        ArgumentTypeError: it is neither.
    """
    try:
        # Python 3.10 does not know the Z.
        at = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
    except ValueError:
        try:
            return datetime.now(timezone.utc) - timedelta(seconds=age_seconds(text))
        except (argparse.ArgumentTypeError, OverflowError):
            message = f"{text!r} is no time: give an age as 2h or 3d, or a time as 2026-11-21T03:00Z"
            raise argparse.ArgumentTypeError(message) from None
    return at.astimezone(timezone.utc) if at.tzinfo else at.replace(tzinfo=timezone.utc)
