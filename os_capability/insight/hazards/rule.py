# SPDX-License-Identifier: Apache-2.0
"""Rule: what is dangerous about a machine, what to do then, and how to find it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from os_capability.model import Host

__all__ = ["CRITICAL", "INFO", "WARNING", "Rule"]

INFO, WARNING, CRITICAL = "info", "warning", "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that may be wrong with a machine.

    Attributes:
        code: stable, in kebab case.
        severity: ``critical`` where placement breaks or goes by wrong facts, ``warning`` where it costs capacity, speed
            or safety, ``info`` where nothing is wrong and placement should know it all the same.
        summary: what is so, without a number.
        advice: what to do: the kernel parameter, file, firmware setting or command.
        evidence: gives a line for each finding, with ids, numbers and units; none where the machine is well.
    """

    code: str
    severity: str
    summary: str
    advice: str
    evidence: Callable[[Host], Iterable[str]]
