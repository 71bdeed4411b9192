# SPDX-License-Identifier: Apache-2.0
"""The table of options as a sample file and as the table of the options' page."""

from __future__ import annotations

import textwrap

from oslo_config import cfg

from host_agent.options import OPTIONS, allowed, written

__all__ = ["as_conf", "as_markdown"]


def as_conf() -> str:
    """Give the sample configuration file: every option with its help and default, commented out."""
    lines = ["# Settings of host-agent. Every line that is commented out shows the default."]
    for section, options in OPTIONS.items():
        lines += ["", f"[{section}]"]
        for option in options:
            lines += [
                "",
                *textwrap.wrap(
                    option.help or "", 98, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
                ),
            ]
            lines += [f"# Allowed: {allowed(option)}.", f"#{option.dest} = {_default(option)}"]
    return "\n".join(lines) + "\n"


def as_markdown() -> str:
    """Give the table of options, one row each."""
    lines = ["| option | environment | default | allowed | meaning |", "|---|---|---|---|---|"]
    for section, options in OPTIONS.items():
        for option in options:
            variable = f"OS_CAPABILITY_{section}__{option.dest}".upper()
            cells = (f"`[{section}] {option.dest}`", f"`{variable}`", f"`{_default(option)}`", allowed(option))
            lines.append(f"| {' | '.join(cells)} | {option.help} |")
    return "\n".join(lines) + "\n"


def _default(option: cfg.Opt) -> str:
    return written(option.default if option.sample_default is None else option.sample_default)
