# SPDX-License-Identifier: Apache-2.0
"""Write every machine of the catalogue anew: ``python -m tests.machines``, from the top of the checkout."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from tests.machines.expectation import document
from tests.machines.shapes import SHAPES
from tests.machines.tree import write_tree

HOSTS = Path(__file__).resolve().parents[1] / "hosts"

if __name__ == "__main__":
    for machine in SHAPES:
        folder = HOSTS / machine.name
        shutil.rmtree(folder, ignore_errors=True)
        count = write_tree(machine, folder / "root")
        (folder / "expected.json").write_text(json.dumps(document(machine), indent=1) + "\n")
        (folder / "WHY").write_text(f"{machine.why}\n")
        sys.stdout.write(f"{machine.name}: {count} files\n")
