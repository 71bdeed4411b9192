# SPDX-License-Identifier: Apache-2.0
"""The only starter of processes."""

from __future__ import annotations

import atexit
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from os_capability.errors import MissingProgram, SourceUnreadable

__all__ = ["Run", "run"]

Run = Callable[[str, list[str], float], str]
"""What `run` is: what a driver that asks programs is given, so that recorded answers can stand in for them."""

_MOST_BYTES = 32 << 20


def run(program: str, arguments: list[str], timeout_seconds: float) -> str:
    """Run a program, from the PATH or by its absolute path, and give its standard output.

    It gets the C locale, no settings of its own from the environment, and a closed standard input. When the time is
    up, or our own process ends in order before, it is killed together with everything it started.

    Raises:
        MissingProgram: it is not there.
        SourceUnreadable: it could not be started, failed, took too long or wrote without end.
    """
    path = _find(program)
    try:
        process = subprocess.Popen(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # lscpu translates the ONLINE flag itself (French "O", Polish "T"), and from 2.42 on its columns can be set
            # by LSCPU_COLUMNS: nothing of ours may leak in.
            env={"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)},
            start_new_session=True,
        )
    except OSError as error:
        raise SourceUnreadable(path, f"could not be started: {error.strerror}") from None
    # A daemon that is stopped does not wait for its thread which waits here.
    kill = partial(_kill, process)
    atexit.register(kill)
    try:
        output, complaint = _read_both(process, path, timeout_seconds)
    finally:
        atexit.unregister(kill)
        kill()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    if process.returncode != 0:
        ended = f"exit {process.returncode}" if process.returncode > 0 else f"signal {-process.returncode}"
        first_line = complaint.strip().split("\n")[0]
        raise SourceUnreadable(path, f"{ended}{': ' + first_line if first_line else ''}")
    return output


def _find(program: str) -> str:
    for folder in os.get_exec_path():
        path = os.path.join(folder, program)  # an absolute path stays as it is
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise MissingProgram(program, "not found" if os.path.isabs(program) else "not found on the PATH")


def _read_both(process: subprocess.Popen[bytes], path: str, timeout_seconds: float) -> tuple[str, str]:
    """Read both streams to their ends, within the time and size allowed.

    Not `Popen.communicate`: it has no limit of size, and after its time-out it waits on for grandchildren that hold
    the pipes.
    """
    assert process.stdout is not None
    assert process.stderr is not None
    deadline = time.monotonic() + timeout_seconds
    collected: dict[int, bytearray] = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    with selectors.DefaultSelector() as waiting:
        for descriptor in collected:
            waiting.register(descriptor, selectors.EVENT_READ)
        while waiting.get_map():
            remaining = deadline - time.monotonic()
            ready = waiting.select(remaining) if remaining > 0 else []
            if not ready:
                raise SourceUnreadable(path, f"gave no answer within {timeout_seconds:g} s and was stopped")
            for key, _ in ready:
                chunk = os.read(key.fd, 1 << 16)
                collected[key.fd] += chunk
                if not chunk:
                    waiting.unregister(key.fd)
                elif len(collected[key.fd]) > _MOST_BYTES:
                    raise SourceUnreadable(path, f"wrote more than {_MOST_BYTES >> 20} MiB and was stopped")
    try:
        process.wait(max(0.0, deadline - time.monotonic()) + 0.1)
    except subprocess.TimeoutExpired:
        raise SourceUnreadable(path, f"did not end within {timeout_seconds:g} s and was stopped") from None
    output, complaint = (bytes(data).decode("utf-8", "replace") for data in collected.values())
    return output, complaint


def _kill(process: subprocess.Popen[bytes]) -> None:
    # Not poll(): until we ask, one that has ended keeps its number, and what it started can be found by that.
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):  # macOS: nobody is left but the one that has ended
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):  # stuck in the kernel: it must not keep us as well
            process.wait(1)
