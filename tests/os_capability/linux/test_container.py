# SPDX-License-Identifier: Apache-2.0
"""What gives a container's view away, and what does not."""

from __future__ import annotations

import pytest

from os_capability.linux.container import container_view

FIRST, ANOTHER = "pid:[4026531836]", "pid:[4026532201]"
HOST = {
    "managers": {},
    "init_cgroup": "0::/init.scope\n",
    "mountinfo": "",
    "pid_namespace": FIRST,
    "kernel": "6.1.0-example",
    "marks": (),
}
OVERLAY = "22 1 0:50 / / rw - overlay overlay rw"


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({}, id="a host"),
        pytest.param({"marks": ("docker",)}, id="a virtual machine made from a container image"),
        pytest.param({"pid_namespace": None, "init_cgroup": None}, id="nothing to see"),
        pytest.param({"mountinfo": OVERLAY}, id="a live CD's overlay"),
        pytest.param(
            {"mountinfo": "9 8 0:50 / /var/lib/docker/x/merged rw - overlay overlay rw,lowerdir=/x/docker/y"},
            id="a host that runs containers",
        ),
        pytest.param({"kernel": "5.15.0-1050-azure"}, id="a guest of Azure"),
        pytest.param({"managers": {"run/systemd/container": None}}, id="no manager left a name"),
    ],
)
def test_what_is_no_container(facts: dict[str, object]) -> None:
    assert container_view(**{**HOST, **facts}) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "manager", "evidence"),
    [
        pytest.param(
            {"managers": {"run/systemd/container": "podman"}},
            "podman",
            "/run/systemd/container names podman",
            id="systemd says so",
        ),
        pytest.param({"pid_namespace": ANOTHER}, None, "PID namespace", id="another PID namespace"),
        pytest.param(
            {"pid_namespace": ANOTHER, "marks": ("docker",)},
            None,
            "PID namespace",
            id="and a mark, which an image may have left",
        ),
        pytest.param({"init_cgroup": "5:cpuset:/docker/4f2a\n"}, "docker", "cgroup of docker", id="v1 group of Docker"),
        pytest.param(
            {"init_cgroup": "0::/machine.slice/libpod-4f2a.scope/container\n"},
            "podman",
            "cgroup of podman",
            id="Podman",
        ),
        pytest.param(
            {"init_cgroup": "0::/kubepods.slice/kubepods-pod1.slice/crio-4f2a.scope\n"}, "cri-o", "cri-o", id="CRI-O"
        ),
        pytest.param(
            {"init_cgroup": "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-4f2a.scope\n"},
            "containerd",
            "containerd",
            id="containerd in a pod",
        ),
        pytest.param(
            {"init_cgroup": "5:cpuset:/kubepods/burstable/pod1/4f2a\n"},
            "kubernetes",
            "kubernetes",
            id="a pod of no named engine",
        ),
        pytest.param(
            {
                "mountinfo": "22 1 0:50 / / rw - fuse.fuse-overlayfs fuse-overlayfs rw,user_id=0\n"
                "31 22 0:44 /containers/overlay-containers/4f2a/userdata/hosts /etc/hosts rw - tmpfs tmpfs rw\n"
            },
            "podman",
            "/etc/hosts",
            id="Podman of a user without privileges",
        ),
        pytest.param(
            {"marks": ("podman",), "mountinfo": "22 1 0:50 / / rw - fuse.fuse-overlayfs fuse-overlayfs rw\n"},
            "podman",
            "overlay",
            id="an overlay in user space and a mark",
        ),
        pytest.param({"init_cgroup": "3:cpu:/lxc.payload.web\n"}, "lxc", "cgroup of lxc", id="LXC"),
        pytest.param(
            {"mountinfo": "9 8 0:50 /proc/meminfo /proc/meminfo rw - fuse.lxcfs lxcfs rw\n"},
            "lxc",
            "/proc/meminfo",
            id="lxcfs",
        ),
        pytest.param({"marks": ("docker",), "mountinfo": OVERLAY}, "docker", "overlay", id="an overlay and a mark"),
        pytest.param(
            {"marks": ("docker",), "mountinfo": OVERLAY.replace("- overlay", "- overlayfs")},
            "docker",
            "overlay",
            id="an overlay of old and a mark",
        ),
        pytest.param(
            {"mountinfo": f"{OVERLAY},lowerdir=/var/lib/docker/overlay2/l/A"}, "docker", "/ is", id="Docker's layers"
        ),
        pytest.param(
            {
                "mountinfo": "31 22 8:1 /var/lib/kubelet/pods/1/etc-hosts /etc/hosts rw - ext4 /dev/sda1 rw\n"
                f"{OVERLAY},lowerdir=/var/lib/containers/storage/overlay/l/A\n"
            },
            "cri-o",
            "containers",
            id="Podman's store in a pod",
        ),
        pytest.param(
            {"mountinfo": "31 22 8:1 /var/lib/kubelet/pods/1/etc-hosts /etc/hosts rw - ext4 /dev/sda1 rw\n"},
            "kubernetes",
            "/etc/hosts",
            id="a pod's hosts file",
        ),
        pytest.param(
            {"kernel": "5.15.90.1-microsoft-standard-WSL2", "pid_namespace": ANOTHER}, "wsl", "Subsystem", id="WSL"
        ),
    ],
)
def test_what_gives_a_container_away_and_names_it(facts: dict[str, object], manager: str | None, evidence: str) -> None:
    found = container_view(**{**HOST, **facts})  # type: ignore[arg-type]
    assert found is not None
    assert found.manager == manager
    assert evidence in found.evidence
