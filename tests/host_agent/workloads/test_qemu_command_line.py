# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_agent.workloads.qemu_command_line import QemuMachine, parse_qemu_command_line

UUID = "5b8e4a52-9d0c-4c3e-8f5a-0d6f3c1b2a99"
MIB, GIB = 1 << 20, 1 << 30

SHAPES = {
    "libvirt 9, of Nova": (
        (
            "/usr/bin/qemu-system-x86_64 -name guest=instance-0000001a,debug-threads=on -S "
            '-object {"qom-type":"secret","id":"masterKey0","format":"raw"} -machine pc-q35-7.2,usb=off -accel kvm '
            '-cpu host -m size=4194304k -object {"qom-type":"memory-backend-file","id":"ram0","size":4294967296} '
            f"-overcommit mem-lock=off -smp 4,sockets=4,dies=1,cores=1,threads=1 -uuid {UUID} -smbios type=1,uuid=x"
        ),
        QemuMachine(uuid=UUID, name="instance-0000001a", vcpus=4, memory_bytes=4 * GIB),
    ),
    "with room to grow": (
        f"qemu-system-x86_64 -name guest=a -m size=1048576k,slots=16,maxmem=8388608k -smp 2,maxcpus=8 -uuid {UUID}",
        QemuMachine(uuid=UUID, name="a", vcpus=2, memory_bytes=GIB),
    ),
    "libvirt 1": (
        f"/usr/libexec/qemu-kvm -name old -S -machine pc -m 512 -smp 1,sockets=1 -uuid {UUID}",
        QemuMachine(uuid=UUID, name="old", vcpus=1, memory_bytes=512 * MIB),
    ),
    "by hand": (
        "qemu-system-aarch64 -m 2G -smp cpus=3,sockets=3 -nographic",
        QemuMachine(vcpus=3, memory_bytes=2 * GIB),
    ),
    "two dashes": ("kvm --name web --m 64M --smp 1", QemuMachine(name="web", vcpus=1, memory_bytes=64 * MIB)),
    "a comma in the name": ("qemu-kvm -name guest=a,,b,debug-threads=on", QemuMachine(name="a,b")),
    "the name not first": ("qemu-kvm -name debug-threads=on,guest=web", QemuMachine(name="web")),
    "only by sockets": ("qemu-kvm -smp sockets=2,cores=2", QemuMachine()),
    "nothing told": ("qemu-kvm", QemuMachine()),
    "nothing after the option": ("qemu-kvm -uuid", QemuMachine()),
    "nonsense": ("qemu-kvm -uuid x -smp many -m 1.5G -name ,,", QemuMachine(name=",")),
    "zeros": ("qemu-kvm -smp 0 -m 0", QemuMachine()),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_captured_shapes(shape: str) -> None:
    line, machine = SHAPES[shape]
    assert parse_qemu_command_line(line.split()) == machine


@pytest.mark.parametrize("line", ["", "/usr/libexec/virtiofsd --uuid x", "/usr/bin/swtpm socket", "qemu/bash -m 1"])
def test_another_program(line: str) -> None:
    assert parse_qemu_command_line(line.split()) is None


WORD = st.sampled_from(["-m", "-smp", "-uuid", "-name", "size=", "guest=,,=", "4G", "²", UUID]) | st.text(max_size=8)


@given(st.lists(WORD, max_size=12))
def test_any_command_line(arguments: list[str]) -> None:
    machine = parse_qemu_command_line(["qemu-kvm", *arguments])
    assert machine is not None
    assert machine.uuid is None or uuid.UUID(machine.uuid)
    assert machine.vcpus is None or machine.vcpus > 0
    assert machine.memory_bytes is None or machine.memory_bytes > 0
