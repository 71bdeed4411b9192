# SPDX-License-Identifier: Apache-2.0
"""Hazards: what somebody about to run workloads on a machine should know and put right."""

from __future__ import annotations

from dataclasses import dataclass

from os_capability.insight.hazards import cpu, memory, numa, surroundings
from os_capability.insight.hazards.rule import CRITICAL, INFO, WARNING
from os_capability.model import Host

__all__ = ["CODES", "CRITICAL", "INFO", "RULES", "WARNING", "Hazard", "check"]

_GRAVEST_FIRST = (CRITICAL, WARNING, INFO)
_BY_SUBJECT = (*surroundings.RULES, *numa.RULES, *cpu.RULES, *memory.RULES)
RULES = tuple(sorted(_BY_SUBJECT, key=lambda rule: _GRAVEST_FIRST.index(rule.severity)))
CODES = tuple(rule.code for rule in RULES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """Something about a machine that costs whoever places workloads there.

    Attributes:
        code: stable; docs/checks.md explains each.
        severity: ``critical``, ``warning``, or ``info`` for a note, which is none to put right; see `Rule`.
        summary: what is so, in general.
        evidence: what shows it on this machine, a line for each finding, with ids, numbers and units.
        advice: what to do.
    """

    code: str
    severity: str
    summary: str
    evidence: tuple[str, ...]
    advice: str


def check(host: Host) -> tuple[Hazard, ...]:
    """Find the hazards of a machine, the gravest first; none on a machine that is well.

    What the machine does not tell is no hazard.
    """
    found = []
    for rule in RULES:
        evidence = tuple(rule.evidence(host))
        if evidence:
            found.append(
                Hazard(
                    code=rule.code,
                    severity=rule.severity,
                    summary=rule.summary,
                    evidence=evidence,
                    advice=rule.advice,
                )
            )
    return tuple(found)
