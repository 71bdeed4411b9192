# SPDX-License-Identifier: Apache-2.0
"""The one opener of files, on real trees."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from pyfakefs.fake_filesystem import FakeFilesystem

from os_capability.errors import InvalidRoot, SourceMissing, SourceUnreadable
from os_capability.linux.host_root import HostRoot
from tests.os_capability.conftest import Run

AS_NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")

Writer = Callable[[Path], AbstractContextManager[None]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 1 kB\n")
    return tmp_path


def test_a_root_that_is_no_directory_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidRoot, match="no such directory"):
        HostRoot(str(tmp_path / "nowhere"))


def test_a_root_without_proc_and_sys_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidRoot, match="neither proc nor sys"):
        HostRoot(str(tmp_path))


@pytest.mark.parametrize("path", ["", "no\0path", "loop", "x" * 300])
def test_what_names_no_folder_is_refused_in_words(tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    Path("proc").mkdir()
    with pytest.raises(InvalidRoot, match=r"no such directory|symbolic links|too long"):
        HostRoot(path)


def test_a_root_without_proc_whose_sys_leads_in_a_circle_is_refused_for_that(tmp_path: Path) -> None:
    (tmp_path / "sys").symlink_to("sys")
    with pytest.raises(InvalidRoot, match="sys cannot be entered: Too many levels of symbolic links"):
        HostRoot(str(tmp_path))
    (tmp_path / "proc").mkdir()
    assert HostRoot(str(tmp_path)).entries("proc") == []


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder whose parents everybody may enter, which those of `tmp_path` are not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        for name in ("proc", "sys"):
            (path / name).mkdir()
        yield path


@pytest.mark.parametrize(
    ("closed", "reason"),
    [
        pytest.param((".",), "Permission denied", id="the root"),
        pytest.param(("proc", "sys"), "sys cannot be entered: Permission denied", id="all it holds"),
    ],
)
def test_a_root_that_another_user_may_not_enter_says_so(
    open_folder: Path, closed: tuple[str, ...], reason: str, os_capability: Run
) -> None:
    if os_capability("--version", before=AS_NOBODY).returncode:
        pytest.skip("there is no setpriv, or this Python lies where that user may not read it")
    for name in closed:
        (open_folder / name).chmod(0o700)
    done = os_capability("show", "--root", str(open_folder), before=AS_NOBODY)
    assert (done.returncode, done.stderr) == (2, f"os-capability: {open_folder}: {reason}\n")


def test_messages_call_a_root_as_people_do(root: Path, tmp_path: Path) -> None:
    host = HostRoot(str(root), shown_as="capture.tar.gz")
    with pytest.raises(SourceMissing, match=r"^capture\.tar\.gz/proc/stat: "):
        host.read("proc/stat")
    with pytest.raises(InvalidRoot, match=r"^capture\.tar\.gz: holds neither"):
        HostRoot(str(tmp_path / "proc"), shown_as="capture.tar.gz")


def test_a_file_is_read_whole_and_named_for_people(root: Path) -> None:
    (root / "proc" / "big").write_bytes(b"x" * 200_000 + b"\xff")
    host = HostRoot(f"{root}/")
    assert host.read("proc/big") == "x" * 200_000 + "\N{REPLACEMENT CHARACTER}"
    assert host.shown("proc/big") == f"{root}/proc/big"
    assert HostRoot("/").shown("proc/meminfo") == "/proc/meminfo"


def test_a_missing_file_and_a_missing_folder_are_missing(root: Path) -> None:
    host = HostRoot(str(root))
    for path in ("proc/nothing", "proc/meminfo/below", "proc/mem\0info"):
        with pytest.raises(SourceMissing):
            host.read(path)
    for path in ("proc/nothing", "proc/mem\0info"):
        with pytest.raises(SourceMissing):
            host.entries(path)
        assert (host.exists(path), host.link(path)) == (False, None)


def test_a_folder_in_the_place_of_a_file_is_unreadable_not_missing(root: Path) -> None:
    with pytest.raises(SourceUnreadable, match="Is a directory") as raised:
        HostRoot(str(root)).read("proc")
    assert not isinstance(raised.value, SourceMissing)


def test_names_that_no_kernel_writes_are_passed_over(root: Path) -> None:
    for name in (b"two\nlines", b"\xff\xfe", b"\x1b[31mred"):
        (root / "proc" / os.fsdecode(name)).touch()
    assert HostRoot(str(root)).entries("proc") == ["meminfo"]


def test_links_that_lead_in_a_circle_are_unreadable(root: Path) -> None:
    (root / "proc" / "loop").symlink_to("loop")
    with pytest.raises(SourceUnreadable, match="symbolic links"):
        HostRoot(str(root)).read("proc/loop")


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../../../../../../etc/passwd"])
def test_a_link_that_leads_out_of_a_foreign_root_is_not_followed(root: Path, target: str) -> None:
    (root / "proc" / "cpuinfo").symlink_to(target)
    with pytest.raises(SourceMissing, match="leads out of the root"):
        HostRoot(str(root)).read("proc/cpuinfo")


def test_a_link_inside_the_root_is_followed(root: Path) -> None:
    (root / "proc" / "other").symlink_to("meminfo")
    host = HostRoot(str(root))
    assert host.read("proc/other") == "MemTotal: 1 kB\n"
    assert (host.link("proc/other"), host.link("proc/meminfo")) == ("meminfo", None)


def test_a_root_reached_through_a_link_is_as_good(root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(root)
    assert HostRoot(str(tmp_path / "alias")).read("proc/meminfo") == "MemTotal: 1 kB\n"


@contextmanager
def nothing(_: Path) -> Iterator[None]:
    yield


@contextmanager
def writing(fifo: Path) -> Iterator[None]:
    """Keep the other end of a FIFO open, with words in it and no end."""
    with fifo.open("r+b", buffering=0) as file:
        file.write(b"MemTotal: 1 kB\n")
        yield


@contextmanager
def keeping_quiet(fifo: Path) -> Iterator[None]:
    """Keep the other end of a FIFO open, and say nothing."""
    with fifo.open("r+b", buffering=0):
        yield


WRITERS = [
    pytest.param(nothing, id="nobody writes"),
    pytest.param(writing, id="somebody writes"),
    pytest.param(keeping_quiet, id="somebody waits"),
]


def read_within_seconds(root: HostRoot, path: str) -> str:
    """Give the text or what the error says, within 5 seconds."""
    answers: list[str] = []

    def read() -> None:
        try:
            answers.append(root.read(path))
        except SourceUnreadable as error:
            answers.append("missing" if isinstance(error, SourceMissing) else error.reason)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(5)
    assert answers, "the reader is held up"
    return answers[0]


@pytest.mark.parametrize("writer", WRITERS)
def test_a_fifo_in_a_captured_tree_is_no_file(root: Path, writer: Writer) -> None:
    os.mkfifo(root / "proc" / "stat")
    with writer(root / "proc" / "stat"):
        assert read_within_seconds(HostRoot(str(root)), "proc/stat") == "is no regular file"


def test_a_socket_in_a_captured_tree_is_no_file(root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "proc" / "stat"))
        listener.listen()
        assert read_within_seconds(HostRoot(str(root)), "proc/stat") == "is no regular file"


def test_a_device_in_a_captured_tree_is_no_file(root: Path) -> None:
    try:
        os.mknod(root / "proc" / "stat", stat.S_IFCHR | 0o600, os.makedev(1, 5))  # zeros without end
    except PermissionError:
        pytest.skip("only root may make a device")
    assert read_within_seconds(HostRoot(str(root)), "proc/stat") in ("is no regular file", "Permission denied")


@pytest.mark.parametrize("writer", WRITERS)
def test_a_fifo_on_the_live_machine_does_not_hold_us(tmp_path: Path, writer: Writer) -> None:
    os.mkfifo(tmp_path / "fifo")
    with writer(tmp_path / "fifo"):
        read_within_seconds(HostRoot("/"), str(tmp_path / "fifo").lstrip("/"))


def test_a_file_without_end_is_unreadable(root: Path) -> None:
    with (root / "proc" / "cpuinfo").open("wb") as file:
        file.truncate(64 << 20)
    with pytest.raises(SourceUnreadable, match="longer than 32 MiB"):
        HostRoot(str(root)).read("proc/cpuinfo")


def test_a_tree_in_memory_will_do(fs: FakeFilesystem) -> None:
    fs.create_file("/machine/proc/uptime", contents="5.00 1.00\n")
    fs.create_symlink("/machine/proc/escape", "/elsewhere")
    fs.create_file("/elsewhere", contents="secret")
    host = HostRoot("/machine")
    assert host.read("proc/uptime") == "5.00 1.00\n"
    with pytest.raises(SourceMissing):
        host.read("proc/escape")
