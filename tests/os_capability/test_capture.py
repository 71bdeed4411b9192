# SPDX-License-Identifier: Apache-2.0
"""A capture gives the same document as its machine, and tells nobody whose machine it was."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from os_capability import MachineIdentity, collect
from os_capability.capture import Capture, capture
from os_capability.linux.driver import LinuxDriver
from os_capability.linux.host_root import HostRoot
from os_capability.linux.recording import RecordingRoot
from os_capability.roots import opened_root
from tests.os_capability.conftest import HOSTS, SOURCE_TREE, Run

NAMES = sorted(folder.parent.name for folder in HOSTS.glob("*/root"))


def can_unshare() -> bool:
    tool = shutil.which("unshare")
    return tool is not None and subprocess.run([tool, "-m", "true"], capture_output=True).returncode == 0


needs_mounts = pytest.mark.skipif(not can_unshare(), reason="another view of the live machine needs root and unshare")


def document(root: str, source: str = "sysfs") -> dict[str, Any]:
    return comparable(collect(root, source).to_dict(), root)


def comparable(document: dict[str, Any], root: str) -> dict[str, Any]:
    """Give a document without what a capture leaves out, and warnings without the folder they name."""
    warnings = [{**warning, "message": warning["message"].replace(root, "")} for warning in document["warnings"]]
    left_out = dict.fromkeys(("collected_at", "hostname", "machine_id", "product_uuid", "boot_id"))
    plain: dict[str, Any] = json.loads(json.dumps({**document, **left_out, "warnings": warnings}))
    return plain


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "captured.tar.gz"


@pytest.fixture
def unpacked(tmp_path: Path) -> Iterator[Any]:
    """Unpack a capture as ``--root`` does and give its folder."""
    contexts = []

    def unpack(captured: Capture) -> str:
        (tmp_path / "captured.tar.gz").write_bytes(captured.archive)
        contexts.append(opened_root(str(tmp_path / "captured.tar.gz")))
        return contexts[-1].__enter__()

    yield unpack
    for context in contexts:
        context.__exit__(None, None, None)


class TestSameDocument:
    # What lscpu reads is captured for every machine alike: with it, some of them say enough.
    @pytest.mark.parametrize(
        ("name", "source"), [*((name, "sysfs") for name in NAMES), *((name, "auto") for name in NAMES[::4])]
    )
    def test_a_capture_of_a_machine_is_that_machine(self, name: str, source: str, unpacked: Any) -> None:
        root = str(HOSTS / name / "root")
        captured = unpacked(capture(root))
        assert document(captured, source) == document(root, source)
        host = collect(captured, source)
        assert LinuxDriver(captured).identify() == MachineIdentity(
            hostname=None, machine_id=None, product_uuid=None, boot_id=None
        )
        assert (host.hostname, host.machine_id, host.product_uuid, host.boot_id) == (None, None, None, None)

    @pytest.mark.parametrize("name", NAMES[::2])
    def test_a_capture_of_a_capture_is_the_same_again(self, name: str, unpacked: Any) -> None:
        first = capture(str(HOSTS / name / "root"))
        assert capture(unpacked(first)).archive == first.archive

    def test_this_machine(self, unpacked: Any) -> None:
        captured = capture()
        assert captured.host is not None
        root = unpacked(captured)
        assert document(root, "auto") == comparable(captured.host.to_dict(), "")

    @pytest.mark.parametrize(
        "before",
        [
            pytest.param(("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"), id="as another user"),
            pytest.param(("unshare", "--pid", "--fork", "--mount-proc"), id="seen from a container"),
            pytest.param(
                ("unshare", "-m", "sh", "-c", 'mount --bind /dev/null /proc/sys/kernel/arch && exec "$@"', "sh"),
                id="the architecture from a system call alone",
            ),
        ],
    )
    @needs_mounts
    def test_this_machine_in_another_view(self, before: tuple[str, ...], unpacked: Any) -> None:
        script = (
            "import json, sys; from os_capability.capture import capture; captured = capture();"
            " print(json.dumps(captured.host.to_dict())); sys.stdout.flush(); sys.stdout.buffer.write(captured.archive)"
        )
        if subprocess.run([*before, sys.executable, "-c", ""], cwd=SOURCE_TREE, capture_output=True).returncode:
            pytest.skip("this Python lies where that user may not read it")
        done = subprocess.run([*before, sys.executable, "-c", script], cwd=SOURCE_TREE, capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")
        told, _, archive = done.stdout.partition(b"\n")
        root = unpacked(Capture(archive, 0, None, None))
        assert document(root, "auto") == comparable(json.loads(told), "")

    def test_what_could_not_be_read_cannot_be_read_again(self, machine: Path, unpacked: Any) -> None:
        isolated = machine / "sys/devices/system/cpu/isolated"
        isolated.unlink()
        isolated.mkdir()
        before, after = document(str(machine)), document(unpacked(capture(str(machine))))
        assert "source-unreadable" in [warning["code"] for warning in before["warnings"]]
        assert codes(after) == codes(before)

    def test_links_between_folders_stay_links(self, machine: Path, unpacked: Any) -> None:
        devices = machine / "sys/bus/pci/devices"
        real = machine / "sys/devices/pci0000:00/0000:00:02.0"
        real.mkdir(parents=True)
        devices.mkdir(parents=True)
        (real / "uevent").write_text("PCI_CLASS=20000\nPCI_ID=8086:1572\nPCI_SLOT_NAME=0000:00:02.0\n")
        (real / "iommu_group").symlink_to("../../../kernel/iommu_groups/7")
        (devices / "0000:00:02.0").symlink_to("../../../devices/pci0000:00/0000:00:02.0")
        captured = document(unpacked(capture(str(machine))))
        assert captured == document(str(machine))
        assert captured["pci"][0]["iommu_group"] == 7

    def test_every_question_a_root_answers_is_recorded(self) -> None:
        questions = {name for name in vars(HostRoot) if not name.startswith("_")} - {"is_live", "path", "shown"}
        assert questions <= set(vars(RecordingRoot))


def codes(document: dict[str, Any]) -> list[str]:
    return [warning["code"] for warning in document["warnings"]]


IDENTIFIERS = {
    "host name": "web-prod-17",
    "machine id": "5f1d0c0e9a3b4f6e8d7c6b5a49382716",
    "boot id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    "product uuid": "8a2f6c14-7d0b-4e55-a3c1-1f6b9d20e7aa",
    "uuid": "3d3e5c9a-11aa-4b1c-9f00-2b7f6d2f9a10",
    "serial": "SN00D3ADB33F",
    "MAC": "52:54:00:ab:cd:ef",
    "user": "alice",
    "uid": "4711",
    "container id": "e90b8831a4b8" * 5 + "cafe",
    "process": "verysecretjob",
    "device": "vg_payroll",
    "customer": "ACME-LPAR",
    "s390 identification": "279F25",
    "PA-RISC software id": "2007435281",
}


@pytest.fixture
def known(machine: Path) -> Path:
    """Give a machine with an identifier wherever one can be."""
    name = IDENTIFIERS
    slice_of_user = f"home/{name['user']}/a cgroup/user.slice/user-{name['uid']}.slice"
    texts = {
        "proc/sys/kernel/hostname": f"{name['host name']}\n",
        "proc/sys/kernel/random/boot_id": f"{name['boot id']}\n",
        "etc/machine-id": f"{name['machine id']}\n",
        "etc/os-release": f'PRETTY_NAME="Example Linux 1"\nIMAGE_ID="{name["host name"]}"\nBUILD_ID={name["uuid"]}\n',
        "proc/self/status": f"Name:\t{name['process']}\nUid:\t{name['uid']}\t{name['uid']}\nCpus_allowed_list:\t0-3\n",
        "proc/self/cgroup": (
            f"2:name={name['customer']}:/\n"
            f"0::/user.slice/user-{name['uid']}.slice/{name['user']}.scope/{name['container id']}\n"
        ),
        "proc/1/cgroup": f"0::/docker/{name['container id']}/{name['host name']}\n",
        "proc/self/mountinfo": (
            f"22 1 253:0 / / rw - overlay {name['device']} rw,upperdir=/home/{name['user']}/{name['uuid']}\n"
            f"23 22 0:26 / /home/{name['user']}/a\\040cgroup rw shared:4 - cgroup2 {name['device']} rw\n"
            f"25 22 0:28 / / rw - fuse.{name['process']} {name['device']} rw\n"
            f"24 22 0:27 / /home/{name['user']}/secret rw - nfs {name['host name']}:/export rw,addr=10.1.2.3\n"
        ),
        f"{slice_of_user}/{name['user']}.scope/memory.max": "1073741824",
        "run/systemd/sessions/c4711": f"# of {name['user']}\nUID={name['uid']}\nUSER={name['user']}\nCLASS=user\n",
        "run/systemd/container": "docker\n",
        "run/.containerenv": f'engine="podman-4.3.1"\nname="{name["customer"]}"\nid="{name["container id"]}"\n',
        "proc/sysinfo": (
            f"Type:                 2964\nSequence Code:        {name['serial']}\n"
            f"Plant:                {name['device']}\nLPAR Name:            {name['customer']}\n"
            f"VM00 Name:            {name['host name']}\nVM00 UUID:            {name['uuid']}\n"
            f"VM00 Control Program: KVM/Linux\nVM00 Extended Name:   {name['host name']}\n"
            f"LPAR Extended Name:   {name['customer']}\nLPAR UUID:            {name['uuid']}\n"
        ),
        "sys/class/dmi/id/product_serial": f"{name['serial']}\n",
        "sys/class/dmi/id/product_uuid": f"{name['product uuid']}\n",
        "sys/devices/system/cpu/cpu0/topology/ppin": f"0x{name['serial']}\n",
        "sys/devices/system/cpu/vulnerabilities/meltdown": f"Mitigation: {name['MAC']} {name['uuid']}\n",
    }
    for path, text in texts.items():
        (machine / path).parent.mkdir(parents=True, exist_ok=True)
        (machine / path).write_text(text)
    with (machine / "proc/cpuinfo").open("a") as cpuinfo:
        cpuinfo.write(
            f"processor 0: version = 00,  identification = {name['s390 identification']},  machine = 2964\n"
            f"identification  : {name['s390 identification']}\nsoftware id\t: {name['PA-RISC software id']}\n"
            f"system serial number\t: {name['serial']}\nHardware\t: Example\nSerial\t\t: {name['serial']}\n"
        )
    (machine / "run/systemd/sessions/2").symlink_to(f"/home/{name['user']}/session")
    (machine / "sys/devices/system/cpu" / name["uuid"]).symlink_to(f"../{name['container id']}")
    return machine


class TestNothingIdentifying:
    @pytest.mark.parametrize("identifier", IDENTIFIERS.values(), ids=IDENTIFIERS)
    def test_no_identifier_is_left_anywhere(self, known: Path, identifier: str) -> None:
        unzipped = gzip.decompress(capture(str(known)).archive)
        # The whole of it: names, contents, targets of links, headers.
        assert identifier.encode() not in unzipped
        assert identifier.encode() in b"".join(path.read_bytes() for path in known.rglob("*") if path.is_file())

    def test_the_headers_tell_neither_who_nor_when(self, known: Path) -> None:
        archive = capture(str(known)).archive
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            heads = {(member.uid, member.gid, member.uname, member.gname, member.mtime) for member in members}
        assert heads == {(0, 0, "", "", 0)}
        assert archive[:8] == b"\x1f\x8b\x08\x00" + bytes(4)  # no file name and no time

    def test_the_facts_are_all_left(self, known: Path, unpacked: Any) -> None:
        captured, original = document(unpacked(capture(str(known)))), document(str(known))
        vulnerability = captured["cpu"]["vulnerabilities"].pop("meltdown")
        assert vulnerability == "Mitigation: 00:00:00:00:00:00 00000000-0000-0000-0000-000000000000"
        original["cpu"]["vulnerabilities"].pop("meltdown")
        assert captured == original
        assert captured["limits"]["memory_bytes"] == 1 << 30
        assert (captured["system"]["users"], captured["system"]["view"]) == (1, "container")

    def test_lines_keep_their_numbers(self, known: Path, unpacked: Any) -> None:
        root = Path(unpacked(capture(str(known))))
        lines = (root / "proc/cpuinfo").read_text().split("\n")
        assert lines[-2:] == ["Serial\t\t: (removed)", ""]
        assert len(lines) == len((known / "proc/cpuinfo").read_text().split("\n"))

    def test_only_what_is_read_is_there(self, machine: Path, unpacked: Any) -> None:
        (machine / "etc/shadow").write_text("root:secret")
        (machine / "proc/cmdline").write_text("root=/dev/sda")
        root = Path(unpacked(capture(str(machine))))
        assert not (root / "etc/shadow").exists()
        assert not (root / "proc/cmdline").exists()


class TestArchive:
    def test_the_same_machine_gives_the_same_bytes(self, known: Path) -> None:
        assert capture(str(known)).archive == capture(str(known)).archive

    def test_it_unpacks_into_a_folder_of_tests_hosts(self, machine: Path) -> None:
        with tarfile.open(fileobj=io.BytesIO(capture(str(machine)).archive)) as members:
            assert {member.name.partition("/")[0] for member in members} == {"root"}


class TestCommand:
    def test_it_says_what_it_wrote_and_how_to_look_at_it(
        self, os_capability: Run, machine: Path, written: Path
    ) -> None:
        done = os_capability("capture", str(written), "--root", str(machine))
        assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
        assert f"os-capability show --root {written}" in done.stdout
        assert written.stat().st_mode & 0o777 == 0o666 & ~current_umask()
        shown = json.loads(os_capability("show", "-f", "json", "--root", str(written)).stdout)
        assert shown["cpu"] == collect(str(machine)).to_dict()["cpu"]

    def test_standard_output_takes_the_bytes_alone(self, machine: Path) -> None:
        command = [sys.executable, "-m", "os_capability", "capture", "-", "--root", str(machine)]
        done = subprocess.run(command, cwd=SOURCE_TREE, capture_output=True)
        assert (done.stdout, done.stderr, done.returncode) == (capture(str(machine)).archive, b"", 0)

    def test_this_machine_is_the_default(self, os_capability: Run, written: Path) -> None:
        assert os_capability("capture", str(written)).returncode == 0
        assert f"{collect().cpu.threads} CPU" in os_capability("show", "--root", str(written)).stdout

    def test_an_older_capture_is_replaced(self, os_capability: Run, machine: Path, written: Path) -> None:
        written.write_text("old")
        assert os_capability("capture", str(written), "--root", str(machine)).returncode == 0
        assert tarfile.is_tarfile(written)
        assert [path.name for path in written.parent.iterdir() if path != machine] == [written.name]

    def test_an_older_capture_outlives_a_failure(self, os_capability: Run, machine: Path, written: Path) -> None:
        written.write_text("old")
        too_small = ("sh", "-c", 'ulimit -f 0 && exec "$@"', "sh")
        done = os_capability("capture", str(written), "--root", str(machine), before=too_small)
        assert done.returncode == 74
        assert done.stderr == f"os-capability: the answer could not be written: {written}: File too large\n"
        assert written.read_text() == "old"
        assert [path.name for path in written.parent.iterdir() if path != machine] == [written.name]

    @pytest.mark.parametrize(
        ("make", "says"),
        [
            pytest.param(lambda path: None, "No such file or directory", id="no such folder"),
            pytest.param(lambda path: path.mkdir(parents=True), "exists and is no regular file", id="a folder"),
            pytest.param(lambda path: make_fifo(path), "exists and is no regular file", id="a FIFO"),
        ],
    )
    def test_where_nothing_can_be_written_is_said(
        self, os_capability: Run, machine: Path, tmp_path: Path, make: Any, says: str
    ) -> None:
        path = tmp_path / "folder" / "captured.tar.gz"
        make(path)
        done = os_capability("capture", str(path), "--root", str(machine))
        assert (done.returncode, done.stdout) == (74, "")
        assert done.stderr == f"os-capability: the answer could not be written: {path}: {says}\n"

    @pytest.mark.parametrize(
        ("arguments", "names"),
        [((), "FILE.tar.gz"), (("captured.zip",), "captured.zip: a capture is a .tar.gz")],
    )
    def test_wrong_usage_is_one_line(self, os_capability: Run, arguments: tuple[str, ...], names: str) -> None:
        done = os_capability("capture", *arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert names in done.stderr

    @needs_mounts
    def test_a_machine_that_cannot_be_read_is_captured_as_far_as_it_can(
        self, os_capability: Run, written: Path
    ) -> None:
        hide = ("unshare", "-m", "sh", "-c", 'mount --bind /dev/null /proc/meminfo && exec "$@"', "sh")
        done = os_capability("capture", str(written), before=hide)
        assert (done.returncode, done.stderr) == (0, "")
        assert "could not be read: /proc/meminfo: is empty" in done.stdout
        shown = json.loads(os_capability("show", "-f", "json", "--root", str(written)).stdout)
        assert shown["cpu"]["threads"] == collect().cpu.threads
        assert shown["memory"]["total_bytes"] is None

    def test_another_system_is_told_what_to_do_instead(self, machine: Path, written: Path) -> None:
        # A process that believes to be on macOS.
        command = "import sys; sys.platform = 'darwin'; from os_capability.cli import main; sys.exit(main())"
        here = subprocess.run(
            [sys.executable, "-c", command, "capture", str(written)], cwd=SOURCE_TREE, capture_output=True, text=True
        )
        assert here.returncode == 2
        assert here.stderr.endswith("this is darwin; use show -f json\n")
        there = [sys.executable, "-c", command, "capture", str(written), "--root", str(machine)]
        assert subprocess.run(there, cwd=SOURCE_TREE, capture_output=True).returncode == 0


def make_fifo(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
