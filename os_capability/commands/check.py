# SPDX-License-Identifier: Apache-2.0
"""``os-capability check``: hazards for somebody about to run workloads here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from os_capability.commands.answer import EXIT_DONE, EXIT_NO, Answer, UsageError, json_text, takes_colour
from os_capability.commands.machine import add_machine, read_machine
from os_capability.insight.check import CODES, INFO, Hazard, check
from os_capability.render.hazards import render_hazards

__all__ = ["DESCRIPTION", "add_arguments", "run"]

DESCRIPTION = (
    "Finds what costs capacity, speed or safety, or misleads placement, each with its evidence and what"
    " to do. Exits 1 where there are hazards; notes are none."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command can be told."""
    parser.add_argument("-f", dest="format", choices=("table", "json"), default="table", help="default: table")
    parser.add_argument(
        "--accept",
        dest="accepted",
        metavar="CODE",
        action="append",
        default=[],
        help="leave out this hazard: it is meant to be so; may be repeated",
    )
    add_machine(parser)


def run(asked: argparse.Namespace) -> Answer:
    """Give the hazards but those that are accepted; the answer is "no" where there are any. Notes are none.

    Raises:
        UsageError: a code to accept is none of ours.
        OsCapabilityError: the machine could not be read.
    """
    for code in asked.accepted:
        if code not in CODES:
            raise UsageError(f"no hazard has the code {code!r}; there are: {', '.join(sorted(CODES))}")
    host = read_machine(asked)
    found = [hazard for hazard in check(host) if hazard.code not in asked.accepted]
    exit_code = EXIT_NO if any(hazard.severity != INFO for hazard in found) else EXIT_DONE
    if asked.format == "json":
        return Answer(json_text(_document(found)), exit_code)
    return Answer(render_hazards(found, colour=takes_colour()), exit_code)


def _document(found: Sequence[Hazard]) -> dict[str, object]:
    return {
        "hazards": [_as_json(hazard) for hazard in found if hazard.severity != INFO],
        "notes": [_as_json(hazard) for hazard in found if hazard.severity == INFO],
    }


def _as_json(hazard: Hazard) -> dict[str, object]:
    return {
        "code": hazard.code,
        "severity": hazard.severity,
        "summary": hazard.summary,
        "evidence": list(hazard.evidence),
        "advice": hazard.advice,
    }
