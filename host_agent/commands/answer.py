# SPDX-License-Identifier: Apache-2.0
"""What a command answers, and what it says on standard error meanwhile."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

__all__ = [
    "EXIT_DONE",
    "EXIT_INTERRUPTED",
    "EXIT_NO",
    "EXIT_STORE",
    "EXIT_UNREADABLE",
    "EXIT_UNWRITTEN",
    "EXIT_USAGE",
    "PATIENCE_SECONDS",
    "Answer",
    "Failed",
    "patience",
    "say",
    "takes_colour",
]

EXIT_DONE, EXIT_NO, EXIT_USAGE, EXIT_UNREADABLE, EXIT_STORE, EXIT_UNWRITTEN, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 74, 130

# What takes longer says so.
PATIENCE_SECONDS = 2


class Answer(NamedTuple):
    """The text to print, and the exit code: 1 where the answer is "no"."""

    text: str = ""
    exit_code: int = EXIT_DONE


class Failed(Exception):
    """There is nothing to print; the text says why."""

    def __init__(self, reason: str, exit_code: int) -> None:
        super().__init__(reason)
        self.exit_code = exit_code


def say(message: str) -> None:
    """Say on standard error what a person should know beside the answer."""
    if sys.stderr is not None:
        sys.stderr.write(f"host-agent: {message}\n")
        sys.stderr.flush()


def takes_colour() -> bool:
    """Tell whether a person looks at the answer on a terminal that has colours."""
    return (
        sys.stdout is not None
        and sys.stdout.isatty()
        and "NO_COLOR" not in os.environ
        and os.environ.get("TERM") != "dumb"
    )


@contextmanager
def patience(doing: str) -> Iterator[None]:
    """Say what takes so long, where something does."""
    timer = threading.Timer(PATIENCE_SECONDS, say, [f"{doing} ..."])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
