# SPDX-License-Identifier: Apache-2.0
"""The image of containers that do nothing: one program that needs nothing else."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

__all__ = ["PROGRAM", "write_image"]

PROGRAM = ("/bin/busybox", "sleep", "100000")


def write_image(archive: Path) -> None:
    """Write the file tree of the image, with the statically linked busybox of this machine."""
    busybox = shutil.which("busybox", path="/bin:/usr/bin")
    assert busybox is not None
    with tarfile.open(archive, "w") as tar:
        for folder in ("bin", "tmp"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        program = tarfile.TarInfo("bin/busybox")
        data = Path(busybox).read_bytes()
        program.size, program.mode = len(data), 0o755
        tar.addfile(program, io.BytesIO(data))
