# SPDX-License-Identifier: Apache-2.0
"""``os-capability traits``: the os-traits names of a machine."""

from __future__ import annotations

import argparse

from os_capability.commands.answer import Answer, json_text
from os_capability.detect import collect
from os_capability.insight.traits import traits
from os_capability.roots import opened_root

__all__ = ["run"]


def run(asked: argparse.Namespace) -> Answer:
    """List the traits.

    Raises:
        OsCapabilityError: the machine could not be read.
    """
    with opened_root(asked.root) as root:
        names = traits(collect(root, asked.source))
    return Answer(json_text(list(names)) if asked.format == "json" else "\n".join(names))
