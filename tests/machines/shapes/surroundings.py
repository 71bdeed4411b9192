# SPDX-License-Identifier: Apache-2.0
"""What surrounds the hardware: control groups, an old kernel, a capture that lacks files."""

from __future__ import annotations

from tests.machines.description import (
    CGROUP2_MOUNT,
    GIB,
    X86_FLAGS,
    Limits,
    Machine,
    Memory,
    Node,
    Pool,
    even_nodes,
    grid,
    standard_caches,
    with_offline,
)

ROOT_MOUNT = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n"


def cgroup2_nested() -> Machine:
    cpus = grid(cores=8)
    top, leaf = "sys/fs/cgroup/system.slice", "sys/fs/cgroup/system.slice/agent.service"
    limits = Limits(
        version=2,
        cpus="2-3",
        cpu_quota=1.5,
        memory_bytes=1 << 30,
        affinity="2-3",
        files={
            "proc/self/cgroup": "0::/system.slice/agent.service\n",
            "proc/self/mountinfo": ROOT_MOUNT + CGROUP2_MOUNT,
            "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
            "sys/fs/cgroup/cpuset.cpus.effective": "0-7\n",
            f"{top}/cpuset.cpus": "2-5\n",
            f"{top}/cpuset.cpus.effective": "2-5\n",
            f"{top}/cpu.max": "150000 100000\n",
            f"{top}/memory.max": "1073741824\n",
            f"{leaf}/cpuset.cpus": "2-3,7\n",
            f"{leaf}/cpuset.cpus.effective": "2-3\n",
            f"{leaf}/cpu.max": "400000 100000\n",
            f"{leaf}/memory.max": "max\n",
        },
    )
    return Machine(
        name="x86_64-cgroup2-nested",
        why="The service itself may use 4 CPUs of time and all memory; the slice above it allows 1.5 CPUs and 1 GiB.\n"
        "The tightest limit up the tree binds, not the nearest. The machine's own CPUs stay eight.",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=even_nodes(1),
        memory=Memory(available_kb=3_100_000),
        smt_control="notsupported",
        limits=limits,
    )


def cgroup1() -> Machine:
    cpus = grid(cores=4)
    controllers = ("cpuset", "cpu,cpuacct", "memory")
    mounts = "".join(
        f"{40 + number} 22 0:{40 + number} / /sys/fs/cgroup/{name} rw,nosuid shared:9 - cgroup cgroup rw,{name}\n"
        for number, name in enumerate(controllers)
    )
    unlimited = "9223372036854771712\n"  # LONG_MAX rounded down to a page: how version 1 spells "no limit"
    limits = Limits(
        version=1,
        cpus="1-2",
        cpu_quota=0.5,
        memory_bytes=512 << 20,
        affinity="1-2",
        files={
            "proc/self/cgroup": "4:memory:/agents/one\n3:cpu,cpuacct:/agents/one\n2:cpuset:/agents\n1:name=systemd:/\n",
            "proc/self/mountinfo": ROOT_MOUNT + mounts,
            "sys/fs/cgroup/cpuset/cpuset.cpus": "0-3\n",
            "sys/fs/cgroup/cpuset/agents/cpuset.cpus": "1-2\n",
            "sys/fs/cgroup/cpuset/agents/cpuset.effective_cpus": "1-2\n",
            "sys/fs/cgroup/cpu,cpuacct/agents/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/agents/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/agents/one/cpu.cfs_quota_us": "25000\n",
            "sys/fs/cgroup/cpu,cpuacct/agents/one/cpu.cfs_period_us": "50000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": unlimited,
            "sys/fs/cgroup/memory/agents/memory.limit_in_bytes": f"{512 << 20}\n",
            "sys/fs/cgroup/memory/agents/one/memory.limit_in_bytes": unlimited,
        },
    )
    return Machine(
        name="x86_64-cgroup1",
        why="cgroup version 1: each controller has a tree of its own, and the process sits in another place in each.\n"
        "-1 is no quota, and 9223372036854771712 bytes is no memory limit.",
        kernel="4.18.0-example",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=even_nodes(1),
        memory=Memory(available_kb=3_100_000),
        smt_control="notsupported",
        limits=limits,
    )


def old_kernel() -> Machine:
    cpus = with_offline(grid(packages=2, cores=2), (3,))
    nodes = (
        Node(id=0, total_kb=2 * GIB, free_kb=GIB, pools=(Pool(size_kb=2048, total=4, free=2),), distances=(10, 20)),
        Node(
            id=1, total_kb=2 * GIB, free_kb=GIB // 4, pools=(Pool(size_kb=2048, total=2, free=2),), distances=(20, 10)
        ),
    )
    return Machine(
        name="x86_64-old-kernel",
        why="A kernel of 2006: no cpu/online, present or possible, no lists beside the masks, no MemAvailable.\n"
        "The folders and cpuN/online must do; node 1's cpumap still holds CPU 3, which is off.",
        kernel="2.6.18-example",
        vendor="AuthenticAMD",
        family="15",
        model="Example Opteron 275",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=nodes,
        old_kernel=True,
        memory=Memory(available_kb=None),
        limits=Limits(version=None, files={}),
        absent=("proc/sys/kernel/arch",),
    )


def no_meminfo() -> Machine:
    cpus = grid(cores=2, threads=2)
    return Machine(
        name="x86_64-no-meminfo",
        why="A capture that lacks /proc/meminfo, as many do: the memory of the machine is unknown, not 0.\n"
        "The node still tells its own, and the huge page folders theirs. A warning names the file.",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=even_nodes(1),
        memory=None,
        warnings=("source-missing",),
    )


def proc_only() -> Machine:
    cpus = grid(packages=2, cores=2, threads=2)
    return Machine(
        name="x86_64-proc-only",
        why="A capture without any sys: cpuinfo names the CPUs, their cores and their sockets.\n"
        "Its core ids start again in each socket. What only sysfs tells is null.",
        kernel="2.6.18-example",
        cpus=cpus,
        nodes=(Node(id=0, total_kb=2 * GIB, free_kb=GIB, pools=(Pool(size_kb=2048, total=4, free=2),)),),
        numa=False,
        old_kernel=True,
        memory=Memory(available_kb=None),
        limits=Limits(version=None, files={}),
        absent=("proc/sys/kernel/arch", "sys"),
        warnings=("cpu-sets-missing", "source-missing"),
    )


def docker_in_guest() -> Machine:
    cpus = grid(cores=4)
    overlay = (
        "22 1 0:40 / / rw,relatime - overlay overlay"
        " rw,lowerdir=/var/lib/docker/overlay2/l/AAAA,upperdir=/var/lib/docker/overlay2/bbbb/diff\n"
    )
    return Machine(
        name="x86_64-docker-in-guest",
        why="A container of Docker in a guest of KVM: there are two layers, and each has its own answer.\n"
        "The cgroup namespace hides the engine's group; where the root is mounted from tells it.",
        flags=(*X86_FLAGS, "hypervisor"),
        virtualization="kvm",
        container="docker",
        view_evidence="the root is an overlay with the mark file of docker",
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=even_nodes(1),
        memory=Memory(available_kb=3_100_000),
        smt_control="notsupported",
        limits=Limits(
            version=2,
            memory_bytes=256 << 20,
            files={
                "proc/self/cgroup": "0::/\n",
                "proc/self/mountinfo": overlay + CGROUP2_MOUNT,
                "sys/fs/cgroup/memory.max": f"{256 << 20}\n",
            },
        ),
        extra={
            ".dockerenv": "",
            "proc/1/cgroup": "0::/\n",
            "sys/devices/system/clocksource/clocksource0/available_clocksource": "kvm-clock tsc acpi_pm \n",
        },
        warnings=("container-view",),
    )


def xen_dom0() -> Machine:
    cpus = grid(cores=4)
    xen = "sys/hypervisor"
    return Machine(
        name="x86_64-xen-dom0",
        why="Domain 0 of Xen: sysfs and the clock say Xen and every CPU says hypervisor, and yet it is no guest.\n"
        "It has the machine's devices; bit 11 of the features tells it from the domains beside it.",
        flags=(*X86_FLAGS, "hypervisor"),
        cpus=cpus,
        caches=standard_caches(cpus),
        nodes=even_nodes(1),
        memory=Memory(available_kb=3_100_000),
        smt_control="notsupported",
        extra={
            f"{xen}/type": "xen\n",
            f"{xen}/properties/features": "00002f05\n",
            "proc/xen/capabilities": "control_d\n",
            "sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc xen \n",
        },
    )


SHAPES = (
    cgroup2_nested(),
    cgroup1(),
    docker_in_guest(),
    xen_dom0(),
    old_kernel(),
    no_meminfo(),
    proc_only(),
)
