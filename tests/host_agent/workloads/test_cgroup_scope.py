# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from host_agent.workloads.cgroup_scope import may_hold_workloads, parse_scope
from host_agent.workloads.workload import CONTAINER, VM
from tests.host_agent.workloads.cgroup_trees import ID

POD = "kubepods-burstable-pod0b7e2a1c_5b5e_4f0e_9d3c_6e1f2a3b4c5d.slice"
USER = "user.slice/user-1000.slice/user@1000.service"

WITH_ID = {
    "docker, by cgroupfs": (f"docker/{ID}", "docker"),
    "docker, by systemd": (f"system.slice/docker-{ID}.scope", "docker"),
    "docker, with --cgroup-parent": (f"batch/night/{ID}", "docker"),
    "docker, with --cgroup-parent=batch.slice": (f"batch.slice/docker-{ID}.scope", "docker"),
    "docker, rootless": (f"{USER}/user.slice/docker-{ID}.scope", "docker"),
    "docker, a pod's": (f"kubepods/besteffort/pod5d1e/docker/{ID}", "docker"),
    "podman, by cgroupfs": (f"libpod_parent/libpod-{ID}", "podman"),
    "podman, by systemd": (f"machine.slice/libpod-{ID}.scope", "podman"),
    "podman, in a pod": (f"machine.slice/machine-libpod_pod_{ID}.slice/libpod-{ID}.scope", "podman"),
    "podman, rootless": (f"{USER}/user.slice/libpod-{ID}.scope", "podman"),
    "podman, rootless in a pod": (f"{USER}/user.slice/user-libpod_pod_{ID}.slice/libpod-{ID}.scope", "podman"),
    "cri-o, by systemd": (f"kubepods.slice/kubepods-burstable.slice/{POD}/crio-{ID}.scope", "cri-o"),
    "cri-o, by cgroupfs": (f"kubepods/burstable/pod0b7e/crio-{ID}", "cri-o"),
    "containerd, burstable": (f"kubepods.slice/kubepods-burstable.slice/{POD}/cri-containerd-{ID}.scope", "containerd"),
    "containerd, besteffort": (
        f"kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/cri-containerd-{ID}.scope",
        "containerd",
    ),
    "containerd, guaranteed": (f"kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope", "containerd"),
    "containerd, by cgroupfs": (f"kubepods/burstable/pod0b7e/{ID}", "containerd"),
    "containerd, guaranteed by cgroupfs": (f"kubepods/pod0b7e/{ID}", "containerd"),
    "containerd, without a pod": (f"k8s.io/{ID}", "containerd"),
    "containerd, whose kubelet speaks systemd alone": (
        f"system.slice/containerd.service/{POD}:cri-containerd:{ID}",
        "containerd",
    ),
    "kind": (f"kubelet.slice/kubelet-kubepods.slice/{POD}/cri-containerd-{ID}.scope", "containerd"),
    "nerdctl, by cgroupfs": (f"default/{ID}", "containerd"),
    "nerdctl, by systemd": (f"system.slice/nerdctl-{ID}.scope", "containerd"),
}
BY_NAME = {
    "lxc 4": ("lxc.payload.web", "lxc", CONTAINER, "web"),
    "lxc 3": ("lxc.payload/web", "lxc", CONTAINER, "web"),
    "lxc, on v1": ("lxc/web", "lxc", CONTAINER, "web"),
    "lxd, in a project": ("lxc.payload.shop_web", "lxc", CONTAINER, "shop_web"),
    "nspawn": ("machine.slice/systemd-nspawn@web.service", "systemd-nspawn", CONTAINER, "web"),
    "nspawn, escaped": (r"machine.slice/systemd-nspawn@my\x2dweb.service", "systemd-nspawn", CONTAINER, "my-web"),
    "nspawn, by hand": (r"machine.slice/machine-my\x2dweb.scope", "systemd-nspawn", CONTAINER, "my-web"),
    "nspawn, not ASCII": (r"machine.slice/machine-gr\xc3\xbcn.scope", "systemd-nspawn", CONTAINER, "grün"),
    "libvirt": (
        r"machine.slice/machine-qemu\x2d12\x2dinstance\x2d0000001a.scope",
        "libvirt",
        VM,
        "instance-0000001a",
    ),
    "libvirt, before 1.3": (r"machine.slice/machine-qemu\x2dweb.scope", "libvirt", VM, "web"),
    "libvirt, without machined": ("machine/qemu-1-web.libvirt-qemu", "libvirt", VM, "web"),
    "libvirt, of old": ("machine/web.libvirt-qemu", "libvirt", VM, "web"),
    "libvirt, in a partition": ("production.partition/qemu-3-db-1.libvirt-qemu", "libvirt", VM, "db-1"),
    "libvirt, a container": (r"machine.slice/machine-lxc\x2d7\x2dbox.scope", "libvirt", CONTAINER, "box"),
    "libvirt, a container without machined": ("machine/lxc-7-box.libvirt-lxc", "libvirt", CONTAINER, "box"),
}
NONE = {
    "the top": "",
    "docker's own folder": "docker",
    "docker itself": "system.slice/docker.service",
    "podman's monitor": f"machine.slice/libpod-conmon-{ID}.scope",
    "podman's monitor, by cgroupfs": f"libpod_parent/libpod-conmon-{ID}",
    "podman's pod": f"machine.slice/machine-libpod_pod_{ID}.slice",
    "cri-o's monitor": f"kubepods.slice/{POD}/crio-conmon-{ID}.scope",
    "a pod": f"kubepods.slice/kubepods-burstable.slice/{POD}",
    "lxc's monitor": "lxc.monitor.web",
    "lxc's monitor, older": "lxc.monitor/web",
    "an id that is too short": f"docker/{ID[:-1]}",
    "an id that is none": f"docker/{ID[:-1]}g",
    "a service": "system.slice/cron.service",
    "a session": "user.slice/user-1000.slice/session-3.scope",
    "a scope of somebody else": "user.slice/run-u5.scope",
}


def of(path: str) -> tuple[str, ...]:
    return tuple(filter(None, path.split("/")))


class TestRecognised:
    @pytest.mark.parametrize("shape", WITH_ID)
    def test_by_id(self, shape: str) -> None:
        path, engine = WITH_ID[shape]
        scope = parse_scope(of(path))
        assert scope is not None
        assert (scope.engine, scope.kind, scope.identifier, scope.name) == (engine, CONTAINER, ID, ID[:12])
        assert scope.in_pod == ("kubepods" in path)

    @pytest.mark.parametrize("shape", BY_NAME)
    def test_by_name(self, shape: str) -> None:
        path, engine, kind, name = BY_NAME[shape]
        scope = parse_scope(of(path))
        assert scope is not None
        assert (scope.engine, scope.kind, scope.identifier, scope.name) == (engine, kind, None, name)

    @pytest.mark.parametrize("shape", NONE)
    def test_no_workload(self, shape: str) -> None:
        assert parse_scope(of(NONE[shape])) is None

    @pytest.mark.parametrize("path", [path for path, *_ in (*WITH_ID.values(), *BY_NAME.values())])
    def test_all_that_is_above_one_is_walked(self, path: str) -> None:
        *above, _ = of(path)
        for depth, name in enumerate(above):
            assert parse_scope(above[: depth + 1]) is None
            assert may_hold_workloads(name)

    @pytest.mark.parametrize(
        "name", ["cron.service", "init.scope", "session-3.scope", "dev-sda1.swap", "lxc.monitor.web", "lxc.pivot"]
    )
    def test_what_holds_none_is_not_walked(self, name: str) -> None:
        assert not may_hold_workloads(name)


# Pieces of real names get further than noise.
NAME = st.lists(
    st.sampled_from(
        [
            ID,
            "docker",
            "-",
            ".scope",
            "machine-",
            r"\x2d",
            r"\xff",
            "qemu",
            "1",
            "libpod-",
            "lxc",
            ".payload.",
            "kubepods",
        ]
    )
    | st.text(max_size=4),
    max_size=6,
).map("".join)


@given(st.lists(NAME, max_size=5))
@example(["lxc", ""])
def test_any_path(path: list[str]) -> None:
    scope = parse_scope(path)
    assert scope is None or (scope.name and scope.engine)
    assert may_hold_workloads("".join(path)) in (True, False)
