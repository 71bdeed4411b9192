# SPDX-License-Identifier: Apache-2.0
"""Every path we read, relative to the machine's root: what a sandbox must leave readable, and nothing more."""

CPUINFO = "proc/cpuinfo"
MEMINFO = "proc/meminfo"
STAT = "proc/stat"
UPTIME = "proc/uptime"
LOADAVG = "proc/loadavg"
MIN_FREE_KBYTES = "proc/sys/vm/min_free_kbytes"
HOSTNAME = "proc/sys/kernel/hostname"
KERNEL_RELEASE = "proc/sys/kernel/osrelease"
KERNEL_ARCHITECTURE = "proc/sys/kernel/arch"  # since Linux 6.1
BOOT_ID = "proc/sys/kernel/random/boot_id"
SYSINFO = "proc/sysinfo"  # s390 only

SELF = "proc/self"
SELF_CGROUP = "proc/self/cgroup"
SELF_MOUNTINFO = "proc/self/mountinfo"
SELF_STATUS = "proc/self/status"
SELF_PID_NAMESPACE = "proc/self/ns/pid"
INIT_CGROUP = "proc/1/cgroup"

OS_RELEASE = ("etc/os-release", "usr/lib/os-release")
MACHINE_ID = "etc/machine-id"
LOGIN_SESSIONS = "run/systemd/sessions"
CONTAINER_MANAGER = "run/systemd/container"
HOST_CONTAINER_MANAGER = "run/host/container-manager"  # since systemd 247
DOCKER_MARK = ".dockerenv"
PODMAN_MARK = "run/.containerenv"
LXD_MARK = "dev/lxd"
INCUS_MARK = "dev/incus"

# In a capture: what its machine concluded from no file.
CAPTURED = "os-capability.json"

CPU = "sys/devices/system/cpu"
CPU_POSSIBLE = f"{CPU}/possible"
CPU_PRESENT = f"{CPU}/present"
CPU_ONLINE = f"{CPU}/online"
CPU_ISOLATED = f"{CPU}/isolated"
CPU_NOHZ_FULL = f"{CPU}/nohz_full"
SMT_CONTROL = f"{CPU}/smt/control"
SMT_ACTIVE = f"{CPU}/smt/active"
VULNERABILITIES = f"{CPU}/vulnerabilities"
# The PMUs of Intel's hybrid machines, since Linux 5.13, the third since 6.13; the kernel names core kinds nowhere else.
PMU_PERFORMANCE = "sys/devices/cpu_core/cpus"
PMU_EFFICIENCY = "sys/devices/cpu_atom/cpus"
PMU_LOW_POWER = "sys/devices/cpu_lowpower/cpus"

NODE = "sys/devices/system/node"
NODE_ONLINE = f"{NODE}/online"
HUGEPAGES = "sys/kernel/mm/hugepages"
MEMORY_BLOCK_SIZE = "sys/devices/system/memory/block_size_bytes"
# What memory beyond that of the boards hangs on.
DAX_DEVICES = "sys/bus/dax/devices"
CXL_DEVICES = "sys/bus/cxl/devices"
NVIDIA_GPUS = "proc/driver/nvidia/gpus"

PCI_DEVICES = "sys/bus/pci/devices"

CLOCKSOURCES = "sys/devices/system/clocksource/clocksource0/available_clocksource"
HYPERVISOR_TYPE = "sys/hypervisor/type"
XEN_FEATURES = "sys/hypervisor/properties/features"
XEN_CAPABILITIES = "proc/xen/capabilities"
DMI_VENDOR = "sys/class/dmi/id/sys_vendor"
DMI_PRODUCT = "sys/class/dmi/id/product_name"
PRODUCT_UUID = "sys/class/dmi/id/product_uuid"
DEVICE_TREE_HYPERVISOR = "proc/device-tree/hypervisor/compatible"
DEVICE_TREE_PARTITION = "proc/device-tree/ibm,partition-name"
DEVICE_TREE_QEMU = "proc/device-tree/chosen/qemu,graphic-width"

# What the kernel shows only to root: others do without, and need not be let at it.
ROOT_ONLY = frozenset({PRODUCT_UUID})
