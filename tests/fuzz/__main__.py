# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.fuzz``: the long run; prints each failure with the command that repeats it."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
import traceback
from pathlib import Path

from tests.fuzz.trees import Case, Trees, machines


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="how many mutated trees (default: 200)")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("FUZZ_SEED") or random.randrange(1 << 32)))
    parser.add_argument("--case", metavar="MACHINE:NUMBER", help="only this one, as a failure has named it")
    parser.add_argument("roots", metavar="ROOT", nargs="*", type=Path, help="machines (default: tests/hosts, corpus)")
    asked = parser.parse_args()
    found = machines(asked.roots)
    if asked.case:
        name, _, number = asked.case.rpartition(":")
        cases = [Case(name, int(number))]
    else:
        cases = sorted(Case(list(found)[at % len(found)], at // len(found)) for at in range(asked.count))
    sys.stdout.write(f"{len(cases)} mutated trees of {len(found)} machines, seed {asked.seed}\n")
    return _run(Trees(found, asked.seed), cases)


def _run(trees: Trees, cases: list[Case]) -> int:
    failures, slowest, started = 0, (0.0, ""), time.monotonic()
    for case in cases:
        begun = time.monotonic()
        try:
            trees.examine(case)
        except Exception:
            failures += 1
            sys.stdout.write(f"\n{trees.described(case)}\n{traceback.format_exc()}")
        slowest = max(slowest, (time.monotonic() - begun, str(case)))
    trees.close()
    took = time.monotonic() - started
    sys.stdout.write(f"{failures} failures; {took:.0f} s, the slowest {slowest[0]:.1f} s: {slowest[1]}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
