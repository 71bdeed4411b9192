# SPDX-License-Identifier: Apache-2.0
"""The files of a described machine, as its kernel would write them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from tests.machines.description import Cache, Cpu, Machine, Memory, Node, PciFunction

CPU = "sys/devices/system/cpu"
NODE = "sys/devices/system/node"
POOLS = "sys/kernel/mm/hugepages"


def write_tree(machine: Machine, root: Path) -> int:
    """Write the machine's files and links below `root` and give the number of files."""
    texts, targets = files(machine), links(machine)
    for folder in sorted({(root / path).parent for path in (*texts, *targets)}):
        folder.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        (root / path).write_text(text)
    for path, target in targets.items():
        (root / path).symlink_to(target)
    return len(texts)


def files(machine: Machine) -> dict[str, str]:
    """Give every file of the machine: path below its root -> text."""
    texts: dict[str, str] = {}
    for part in (_system, _proc, _cpu_sets, _processors, _kinds, _nodes, _pools, _pci):
        texts.update(part(machine))
    texts.update(machine.limits.files)
    texts.update(machine.extra)
    return {
        path: text
        for path, text in texts.items()
        if not any(path == gone or path.startswith(f"{gone}/") for gone in machine.absent)
    }


def links(machine: Machine) -> dict[str, str]:
    """Give every symbolic link of the machine: path below its root -> what it holds, which is relative as in sysfs."""
    targets = {**dict(_pci_links(machine)), **machine.links}
    return {path: posixpath.relpath(target, posixpath.dirname(path)) for path, target in targets.items()}


def cpu_list(ids: Iterable[int]) -> str:
    """Give a kernel list, ``0-3,8``."""
    spans: list[list[int]] = []
    for number in sorted(ids):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def cpu_mask(ids: Iterable[int], width: int) -> str:
    """Give a kernel mask of `width` bits: words of 32 bits, the highest first and cut to size, ``00ff,ffffffff``."""
    bits = sum(1 << number for number in set(ids))
    words = []
    for low in range(0, width, 32):
        digits = -(-min(32, width - low) // 4)
        words.append(f"{bits >> low & 0xFFFFFFFF:0{digits}x}")
    return ",".join(reversed(words))


def _width(machine: Machine) -> int:
    return max(max(cpu.id for cpu in machine.cpus) + 1, 4)


def _system(machine: Machine) -> Iterator[tuple[str, str]]:
    yield "etc/os-release", 'NAME="Example Linux"\nID=example\nVERSION_ID="1"\nPRETTY_NAME="Example Linux 1"\n'
    yield "etc/machine-id", "0123456789abcdef0123456789abcdef\n"
    yield "proc/sys/kernel/hostname", f"{machine.name.replace('_', '-')}\n"
    yield "proc/sys/kernel/osrelease", f"{machine.kernel}\n"
    yield "proc/sys/kernel/arch", f"{machine.architecture}\n"
    yield "proc/sys/kernel/random/boot_id", "00000000-1111-4222-8333-444444444444\n"
    yield "proc/sys/vm/min_free_kbytes", "8000\n"
    if machine.product_uuid is not None:
        yield "sys/class/dmi/id/product_uuid", f"{machine.product_uuid.upper()}\n"
    yield "proc/uptime", "86400.25 170000.50\n"
    yield "proc/loadavg", "0.42 0.36 0.30 1/512 4242\n"


def _proc(machine: Machine) -> Iterator[tuple[str, str]]:
    ids = [cpu.id for cpu in machine.online]
    yield "proc/cpuinfo", _cpuinfo(machine)
    if machine.memory is not None:
        yield "proc/meminfo", _meminfo(machine, machine.memory)
    ticks = "1000 0 2000 80000 10 0 5 0 0 0"
    stat = "".join(f"{name} {ticks}\n" for name in ("cpu ", *(f"cpu{number}" for number in ids)))
    yield "proc/stat", f"{stat}intr 0\nctxt 123456\nbtime 1700000000\nprocesses 4242\n"
    affinity = machine.limits.affinity
    allowed = cpu_list(ids) if affinity is None else affinity
    yield "proc/self/status", f"Name:\tshow\nPid:\t4242\nCpus_allowed_list:\t{allowed}\nMems_allowed_list:\t0\n"


def _cpuinfo(machine: Machine) -> str:
    if machine.architecture == "s390x":
        return _s390_cpuinfo(machine)
    one: Callable[[Machine, Cpu], str] = _arm_cpuinfo if machine.architecture == "aarch64" else _x86_cpuinfo
    return "".join(one(machine, cpu) + "\n" for cpu in machine.online)


def _x86_cpuinfo(machine: Machine, cpu: Cpu) -> str:
    in_package = [other for other in machine.online if other.package == cpu.package]
    microcode = "" if machine.microcode is None else f"microcode\t: {machine.microcode}\n"
    return (
        f"processor\t: {cpu.id}\nvendor_id\t: {machine.vendor}\ncpu family\t: {machine.family}\n"
        f"model\t\t: {machine.model_number}\nmodel name\t: {machine.model}\nstepping\t: 6\n{microcode}"
        f"cpu MHz\t\t: 2000.000\ncache size\t: 24576 KB\n"
        f"physical id\t: {cpu.package_id}\nsiblings\t: {len(in_package)}\ncore id\t\t: {cpu.core_id}\n"
        f"cpu cores\t: {len({other.core for other in in_package})}\nfpu\t\t: yes\n"
        f"flags\t\t: {' '.join(machine.flags)}\nbugs\t\t:\nbogomips\t: 4000.00\npower management:\n"
    )


def _arm_cpuinfo(machine: Machine, cpu: Cpu) -> str:
    return (
        f"processor\t: {cpu.id}\nBogoMIPS\t: 38.40\nFeatures\t: {' '.join(machine.flags)}\nCPU implementer\t: 0x41\n"
        f"CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {cpu.part}\nCPU revision\t: 4\n"
    )


def _s390_cpuinfo(machine: Machine) -> str:
    head = f"vendor_id       : {machine.vendor}\n# processors    : {len(machine.online)}\nbogomips per cpu: 3033.00\n"
    head += f"features\t: {' '.join(machine.flags)}\n"
    head += "".join(
        f"processor {cpu.id}: version = FF,  identification = 000000,  machine = 3931\n" for cpu in machine.online
    )
    return head + "".join(f"\ncpu number      : {cpu.id}\ncpu MHz static  : 5200\n" for cpu in machine.online)


def _kb(name: str, kilobytes: int | str) -> str:
    return f"{name + ':':<15} {kilobytes:>8} kB\n"


def _meminfo(machine: Machine, memory: Memory) -> str:
    nodes = machine.nodes
    fields: list[tuple[str, int | None]] = [
        ("MemTotal", sum(node.total_kb for node in nodes)),
        ("MemFree", sum(node.free_kb for node in nodes)),
        ("MemAvailable", memory.available_kb),
        ("Buffers", memory.buffers_kb),
        ("Cached", memory.cached_kb),
        ("SwapCached", 0),
        ("Active(file)", memory.active_file_kb),
        ("Inactive(file)", memory.inactive_file_kb),
        ("SwapTotal", memory.swap_total_kb),
        ("SwapFree", memory.swap_free_kb),
        ("Shmem", memory.shmem_kb),
        ("SReclaimable", memory.slab_reclaimable_kb),
        ("VmallocTotal", 34_359_738_367),
    ]
    text = "".join(_kb(name, value) for name, value in fields if value is not None)
    default = machine_pools(machine).get(2048)
    if default is not None:
        for name, count in zip(("Total", "Free", "Rsvd", "Surp"), default, strict=True):
            text += f"{f'HugePages_{name}:':<15} {count:>8}\n"
        text += _kb("Hugepagesize", 2048)
    return text


def machine_pools(machine: Machine) -> dict[int, tuple[int, int, int, int]]:
    """Give the machine's huge page pools: size in kB -> pages in total, free, reserved, surplus."""
    pools: dict[int, tuple[int, int, int, int]] = {}
    for pool in (pool for node in machine.nodes for pool in node.pools):
        total, free, reserved, surplus = pools.get(pool.size_kb, (0, 0, machine.reserved.get(pool.size_kb, 0), 0))
        pools[pool.size_kb] = (total + pool.total, free + pool.free, reserved, surplus + pool.surplus)
    return pools


def _cpu_sets(machine: Machine) -> Iterator[tuple[str, str]]:
    if machine.old_kernel:
        return
    present = {cpu.id for cpu in machine.cpus}
    online = {cpu.id for cpu in machine.online}
    possible = cpu_list(present) if machine.possible is None else machine.possible
    last = int(possible.replace("-", ",").split(",")[-1])
    yield f"{CPU}/possible", f"{possible}\n"
    yield f"{CPU}/present", f"{cpu_list(present)}\n"
    yield f"{CPU}/online", f"{cpu_list(online)}\n"
    # The kernel lists every possible CPU that is not online here, whether it is there or not.
    yield f"{CPU}/offline", f"{cpu_list(set(range(last + 1)) - online)}\n"
    yield f"{CPU}/isolated", f"{machine.isolated}\n"
    if machine.nohz_full is not None:
        yield f"{CPU}/nohz_full", machine.nohz_full_text or f"{machine.nohz_full}\n"
    if machine.smt_control is not None:
        cores = [cpu.core for cpu in machine.online]
        yield f"{CPU}/smt/control", f"{machine.smt_control}\n"
        yield f"{CPU}/smt/active", f"{int(len(set(cores)) < len(cores))}\n"
    for name, text in (machine.vulnerabilities or {}).items():
        yield f"{CPU}/vulnerabilities/{name}", f"{text}\n"


def _processors(machine: Machine) -> Iterator[tuple[str, str]]:
    caches: dict[int, list[Cache]] = {}
    for cache in machine.caches:
        for number in cache.cpus:
            caches.setdefault(number, []).append(cache)
    groups = _groups(machine)
    for cpu in machine.cpus:
        folder = f"{CPU}/cpu{cpu.id}"
        # Some CPUs cannot be switched off and have no such file: on most machines the first one.
        if cpu.id != 0 or not cpu.online:
            yield f"{folder}/online", f"{int(cpu.online)}\n"
        if cpu.capacity is not None:
            yield f"{folder}/cpu_capacity", f"{cpu.capacity}\n"
        # Linux shows no topology and no caches of a CPU that is off.
        if cpu.online:
            yield from _topology(machine, cpu, f"{folder}/topology", groups)
            yield from _caches(machine, caches.get(cpu.id, ()), f"{folder}/cache")


_Groups = Mapping[str, Mapping[object, set[int]]]


def _groups(machine: Machine) -> _Groups:
    """Give the online CPUs that share a core, a package, a die ...: mask file -> key -> CPUs."""
    groups: dict[str, dict[object, set[int]]] = {}
    for cpu in machine.online:
        for name, key in _memberships(cpu, machine.old_kernel):
            groups.setdefault(name, {}).setdefault(key, set()).add(cpu.id)
    return groups


def _memberships(cpu: Cpu, old_kernel: bool) -> Iterator[tuple[str, object]]:
    package = ("alone", cpu.core) if cpu.package is None else cpu.package
    yield "thread_siblings", cpu.core
    yield "core_siblings", package
    if old_kernel:
        return
    yield "core_cpus", cpu.core
    yield "package_cpus", package
    if cpu.die is not None:
        yield "die_cpus", (package, cpu.die)
    if cpu.cluster is not None:
        yield "cluster_cpus", (package, cpu.cluster)
    if cpu.book is not None:
        yield "book_siblings", (cpu.drawer, cpu.book)
    if cpu.drawer is not None:
        yield "drawer_siblings", cpu.drawer


def _topology(machine: Machine, cpu: Cpu, folder: str, groups: _Groups) -> Iterator[tuple[str, str]]:
    numbers = {
        "core_id": cpu.core_id,
        "physical_package_id": cpu.package_id,
        "die_id": cpu.die,
        "cluster_id": cpu.cluster,
        "book_id": cpu.book,
        "drawer_id": cpu.drawer,
    }
    for name, number in numbers.items():
        if number is not None and not (machine.old_kernel and name == "die_id"):
            yield f"{folder}/{name}", f"{number}\n"
    for name, key in _memberships(cpu, machine.old_kernel):
        yield f"{folder}/{name}", f"{cpu_mask(groups[name][key], _width(machine))}\n"
        if not machine.old_kernel:
            yield f"{folder}/{name}_list", f"{cpu_list(groups[name][key])}\n"


def _caches(machine: Machine, caches: Iterable[Cache], folder: str) -> Iterator[tuple[str, str]]:
    for index, cache in enumerate(caches):
        yield f"{folder}/index{index}/level", f"{cache.level}\n"
        yield f"{folder}/index{index}/type", f"{cache.type}\n"
        yield f"{folder}/index{index}/size", f"{cache.size_kb}K\n"
        yield f"{folder}/index{index}/shared_cpu_map", f"{cpu_mask(cache.cpus, _width(machine))}\n"
        if not machine.old_kernel:
            yield f"{folder}/index{index}/shared_cpu_list", f"{cpu_list(cache.cpus)}\n"


def _kinds(machine: Machine) -> Iterator[tuple[str, str]]:
    for kind, pmu in (("performance", "cpu_core"), ("efficiency", "cpu_atom")):
        members = [cpu.id for cpu in machine.online if cpu.kind == kind]
        if members:
            yield f"sys/devices/{pmu}/cpus", f"{cpu_list(members)}\n"


def _nodes(machine: Machine) -> Iterator[tuple[str, str]]:
    if not machine.numa:
        return
    ids = [node.id for node in machine.nodes]
    with_cpus = {cpu.node for cpu in machine.online}
    with_memory = [node.id for node in machine.nodes if node.total_kb]
    if not machine.old_kernel:
        yield f"{NODE}/possible", f"{cpu_list(range(max(ids) + 1))}\n"
        yield f"{NODE}/online", f"{cpu_list(ids)}\n"
        yield f"{NODE}/has_cpu", f"{cpu_list(number for number in ids if number in with_cpus)}\n"
        yield f"{NODE}/has_memory", f"{cpu_list(with_memory)}\n"
        yield f"{NODE}/has_normal_memory", f"{cpu_list(with_memory)}\n"
    for node in machine.nodes:
        yield from _node(machine, node, f"{NODE}/node{node.id}")


def _node(machine: Machine, node: Node, folder: str) -> Iterator[tuple[str, str]]:
    # Kernels before 4.15 left the CPUs that are off in the map.
    cpus = [cpu.id for cpu in machine.cpus if cpu.node == node.id and (cpu.online or machine.old_kernel)]
    yield f"{folder}/cpumap", f"{cpu_mask(cpus, _width(machine))}\n"
    if not machine.old_kernel:
        yield f"{folder}/cpulist", f"{cpu_list(cpus)}\n"
    if node.distances is not None:
        yield f"{folder}/distance", f"{' '.join(map(str, node.distances))}\n"
    used = node.total_kb - node.free_kb
    lines = [("MemTotal", node.total_kb), ("MemFree", node.free_kb), ("MemUsed", used)]
    text = "\n" if machine.old_kernel else ""
    text += "".join(f"Node {node.id} {_kb(name, value)}" for name, value in lines)
    for pool in node.pools:
        if pool.size_kb == 2048:
            counts = (("Total", pool.total), ("Free", pool.free), ("Surp", pool.surplus))
            text += "".join(f"Node {node.id} HugePages_{name}: {count:>5}\n" for name, count in counts)
        if not machine.old_kernel:
            below = f"{folder}/hugepages/hugepages-{pool.size_kb}kB"
            yield f"{below}/nr_hugepages", f"{pool.total}\n"
            yield f"{below}/free_hugepages", f"{pool.free}\n"
            yield f"{below}/surplus_hugepages", f"{pool.surplus}\n"
    yield f"{folder}/meminfo", text


def _pools(machine: Machine) -> Iterator[tuple[str, str]]:
    if machine.old_kernel:
        return
    names = ("nr_hugepages", "free_hugepages", "resv_hugepages", "surplus_hugepages")
    for size, counts in machine_pools(machine).items():
        for name, count in zip(names, counts, strict=True):
            yield f"{POOLS}/hugepages-{size}kB/{name}", f"{count}\n"


def _pci_folder(function: PciFunction) -> str:
    return f"sys/devices/pci{function.address[:-5]}/{function.address}"


def _pci(machine: Machine) -> Iterator[tuple[str, str]]:
    for function in machine.pci or ():
        folder = _pci_folder(function)
        driver = "" if function.driver is None else f"DRIVER={function.driver}\n"
        ids = f"{function.vendor}:{function.product}".upper()
        yield (
            f"{folder}/uevent",
            f"{driver}PCI_CLASS={int(function.class_code, 16):X}\nPCI_ID={ids}\nPCI_SLOT_NAME={function.address}\n",
        )
        yield f"{folder}/vendor", f"0x{function.vendor}\n"
        yield f"{folder}/device", f"0x{function.product}\n"
        yield f"{folder}/class", f"0x{function.class_code}\n"
        yield f"{folder}/numa_node", f"{-1 if function.node is None else function.node}\n"
        if function.total_vfs is not None:
            yield f"{folder}/sriov_totalvfs", f"{function.total_vfs}\n"
            yield f"{folder}/sriov_numvfs", f"{function.num_vfs}\n"


def _pci_links(machine: Machine) -> Iterator[tuple[str, str]]:
    folders = {function.address: _pci_folder(function) for function in machine.pci or ()}
    for function in machine.pci or ():
        folder = folders[function.address]
        yield f"sys/bus/pci/devices/{function.address}", folder
        if function.driver is not None:
            yield f"{folder}/driver", f"sys/bus/pci/drivers/{function.driver}"
        if function.iommu_group is not None:
            yield f"{folder}/iommu_group", f"sys/kernel/iommu_groups/{function.iommu_group}"
        if function.physical_function is not None:
            yield f"{folder}/physfn", folders[function.physical_function]
