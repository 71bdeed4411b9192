# SPDX-License-Identifier: Apache-2.0
"""Runs inside the sandbox, without our packages: tells what this process may read and write, as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# Processes' own folders come and go while we look; what ProtectKernelTunables= protects is below sys.
_LEFT_OUT = {str(entry) for entry in Path("/proc").iterdir() if entry.name not in ("sys", "irq", "bus", "fs")}


def is_readable(path: Path) -> bool:
    try:
        if path.is_dir():
            next(path.iterdir(), None)
        else:
            path.read_bytes()
    except OSError:
        return False
    return True


def writable(top: str) -> Iterator[str]:
    """Yield every folder and file that may be written, but for what lies below one that was named already."""
    for folder, folders, files in os.walk(top, followlinks=False):
        if folder in _LEFT_OUT:
            folders.clear()
        elif os.access(folder, os.W_OK):
            yield folder
            folders.clear()
        else:
            yield from (str(path) for path in (Path(folder, name) for name in files) if _is_writable_file(path))


def _is_writable_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and os.access(path, os.W_OK)


def main() -> None:
    wanted = json.loads(Path("/opt/paths.json").read_text())
    lines = Path("/proc/self/status").read_text().splitlines()
    seen = {
        "paths": {path: is_readable(Path("/") / path) for path in wanted},
        "writable": list(writable("/")),
        "status": {name: value.strip() for name, _, value in (line.partition(":") for line in lines)},
    }
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main()
