# SPDX-License-Identifier: Apache-2.0
"""What Docker and Podman write, as they really wrote it, and as nobody should."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_agent.workloads.container_json import (
    NO_LIMITS,
    ContainerLimits,
    has_disk_quota,
    parse_container,
    parse_information,
    parse_limits,
)
from host_agent.workloads.workload import PAUSED, RUNNING, STOPPED, workload_uuid
from os_capability import CpuSet
from tests.host_agent.workloads.sockets import RECORDED

ENGINES = ("docker-20.10", "podman-4.3")

GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def recorded(engine: str, name: str) -> Any:
    return json.loads(Path(RECORDED, engine, f"{name}.json").read_text())


def limits(**config: object) -> ContainerLimits:
    return parse_limits({"HostConfig": config})


@pytest.mark.parametrize("engine", ENGINES)
class TestRealOnes:
    def test_the_list(self, engine: str) -> None:
        found = {one.name: one for one in map(parse_container, recorded(engine, "list")) if one is not None}
        states = {"one": RUNNING, "two": PAUSED, "three": STOPPED}
        assert {name: found[name].state for name in states} == states
        assert found["one"].labels == {"team": "blue"}
        assert found["two"].labels == {}
        assert len(found["one"].id) == 64

    def test_limits_by_share_of_time_cpuset_and_memory(self, engine: str) -> None:
        assert parse_limits(recorded(engine, "one")) == ContainerLimits(
            vcpus=1.5, cpuset=CpuSet((0, 1)), memory_bytes=64 << 20, numa_nodes=(0,)
        )

    def test_limits_by_quota(self, engine: str) -> None:
        assert parse_limits(recorded(engine, "two")) == ContainerLimits(vcpus=0.5)

    def test_no_limits(self, engine: str) -> None:
        assert parse_limits(recorded(engine, "three")) == NO_LIMITS


class TestEngines:
    def test_docker_of_itself(self) -> None:
        told = parse_information(recorded("docker-20.10", "info"))
        assert told.version == 20_010_024
        assert told.runtimes == ("io.containerd.runc.v2", "io.containerd.runtime.v1.linux", "runc")
        assert (told.default_runtime, told.labels, told.storage_driver) == ("runc", {}, "vfs")
        assert told.root_directory == "/var/lib/docker"
        assert not told.is_podman

    def test_podman_of_itself(self) -> None:
        told = parse_information(recorded("podman-4.3", "info"))
        assert told.version == 4_003_001
        assert (told.default_runtime, told.labels) == ("runc", None)
        assert told.root_directory == "/var/lib/containers/storage"
        assert told.is_podman

    @pytest.mark.parametrize(
        ("text", "version"),
        [
            ("28.3.2", 28_003_002),
            ("v5.4", 5_004_000),
            ("26.1.5+dfsg1", 26_001_005),
            ("library-import", None),
            ("", None),
            (7, None),
        ],
    )
    def test_versions(self, text: object, version: int | None) -> None:
        assert parse_information({"ServerVersion": text}).version == version

    def test_labels_with_and_without_values(self) -> None:
        told = parse_information({"Labels": ["zone=a=b", "fast", "=nameless", 7]})
        assert told.labels == {"zone": "a=b", "fast": ""}

    @pytest.mark.parametrize(
        ("status", "name"),
        [
            ([["Backing Filesystem", "xfs"], ["Supports d_type", "true"]], "xfs"),
            ([["Supports d_type", "true"]], None),
            ([["Backing Filesystem", "<unknown>"]], None),
            (None, None),
            ([["Backing Filesystem"], "x", None], None),
        ],
    )
    def test_the_file_system_below(self, status: object, name: str | None) -> None:
        assert parse_information({"DriverStatus": status}).backing_filesystem == name


class TestContainers:
    @pytest.mark.parametrize(
        ("word", "state"),
        [
            ("running", RUNNING),
            ("Running", RUNNING),
            ("restarting", RUNNING),
            ("stopping", RUNNING),
            ("paused", PAUSED),
            *((word, STOPPED) for word in ("created", "configured", "initialized", "exited", "dead", "removing", None)),
        ],
    )
    def test_states(self, word: object, state: str) -> None:
        found = parse_container({"Id": "ab", "State": word})
        assert found is not None
        assert found.state == state

    def test_its_own_name_comes_before_those_of_links(self) -> None:
        found = parse_container({"Id": "ab", "Names": ["/web/db", "/db"]})
        assert found is not None
        assert found.name == "db"

    @pytest.mark.parametrize("names", [None, [], [""], ["/"], [7]])
    def test_one_without_a_name_is_called_by_its_id(self, names: object) -> None:
        found = parse_container({"Id": "ab" * 32, "Names": names})
        assert found is not None
        assert found.name == "abababababab"

    def test_the_uuid_is_the_orchestrators_where_it_named_the_container(self) -> None:
        uuid = "1b7dc3b4-1f3b-4a64-9a3c-5d4d9d1d0c77"
        found = parse_container({"Id": "ab", "Names": [f"/zun-{uuid}"]})
        assert found is not None
        assert found.workload("docker", NO_LIMITS).uuid == uuid

    def test_and_made_of_engine_and_id_elsewhere(self) -> None:
        found = parse_container({"Id": "ab", "Names": ["/web"]})
        assert found is not None
        workload = found.workload("docker", ContainerLimits(disk_bytes=7))
        assert workload.uuid == workload_uuid("docker", "ab")
        assert (workload.kind, workload.disk_bytes) == ("container", 7)

    def test_a_name_holds_nothing_that_steers_a_terminal_or_fits_no_database(self) -> None:
        found = parse_container({"Id": "ab", "Names": ["/a\x1b[31m\0\ud800b"]})
        assert found is not None
        assert found.name == "a?[31m??b"

    def test_an_id_that_is_no_text_is_an_id(self) -> None:
        uuids = set()
        for identifier in ("\ud800", "\udfff", "\0"):
            found = parse_container({"Id": identifier})
            assert found is not None
            uuids.add(found.workload("docker", NO_LIMITS).uuid)
        assert len(uuids) == 3

    @pytest.mark.parametrize("listed", [None, {}, [], {"Id": ""}, {"Id": 7}, "x"])
    def test_what_is_no_container(self, listed: object) -> None:
        assert parse_container(listed) is None


class TestLimits:
    @pytest.mark.parametrize(
        ("config", "vcpus"),
        [
            ({"NanoCpus": 2_500_000_000, "CpuQuota": 1, "CpusetCpus": "0"}, 2.5),
            ({"CpuQuota": 150_000, "CpuPeriod": 50_000}, 3.0),
            ({"CpuQuota": 150_000, "CpuPeriod": 0}, 1.5),
            ({"CpuQuota": -1, "CpusetCpus": "0-2,7"}, 4.0),
            ({"CpuQuota": -1}, None),
            ({"NanoCpus": True}, None),
            ({"NanoCpus": 2**63}, None),
            ({"NanoCpus": 10**400}, None),
            ({"CpuQuota": 10**400, "CpuPeriod": 1}, None),
            ({"NanoCpus": "2"}, None),
        ],
    )
    def test_cpus(self, config: dict[str, object], vcpus: float | None) -> None:
        assert limits(**config).vcpus == vcpus

    @pytest.mark.parametrize("text", ["", "x", "3-1", "99999999", None, 7])
    def test_a_cpuset_that_is_none(self, text: object) -> None:
        assert limits(CpusetCpus=text, CpusetMems=text) == NO_LIMITS

    @pytest.mark.parametrize("number", [0, -1, None, "7", 7.5])
    def test_memory_without_a_limit(self, number: object) -> None:
        assert limits(Memory=number).memory_bytes is None

    @pytest.mark.parametrize(
        ("text", "size"),
        [
            ("10G", 10 << 30),
            ("10g", 10 << 30),
            ("512 MiB", 512 << 20),
            ("1.5GB", 3 << 29),
            ("1073741824", 1 << 30),
            ("1073741824b", 1 << 30),
            ("0", None),
            ("x", None),
            ("10 G x", None),
            (7, None),
        ],
    )
    def test_the_size_of_a_disk(self, text: object, size: int | None) -> None:
        assert limits(StorageOpt={"size": text}).disk_bytes == size


class TestDiskQuota:
    @pytest.mark.parametrize(
        ("driver", "backing", "options", "has"),
        [
            ("btrfs", None, "", True),
            ("zfs", None, "", True),
            ("overlay2", "xfs", "rw,prjquota", True),
            ("overlay2", "xfs", "rw,pquota", True),
            ("overlay2", "xfs", "rw,noquota", False),
            ("overlay2", "xfs", "", None),
            ("overlay2", "extfs", "rw", False),
            ("overlay2", None, "rw,pquota", None),
            ("overlay", "xfs", "rw,pquota", True),
            ("vfs", None, "", None),
            ("fuse-overlayfs", "xfs", "rw,pquota", False),
            ("overlayfs", "xfs", "rw,pquota", False),
            (None, "xfs", "rw,pquota", None),
        ],
    )
    def test_who_can_limit_a_disk(
        self, driver: str | None, backing: str | None, options: str, has: bool | None
    ) -> None:
        assert has_disk_quota(driver, backing, frozenset(filter(None, options.split(",")))) is has


class TestGarbage:
    @given(GARBAGE)
    def test_any_json_is_read_or_left(self, value: object) -> None:
        parse_container(value)
        assert parse_limits(value) == NO_LIMITS
        parse_information(value)

    @given(st.dictionaries(st.sampled_from(["NanoCpus", "CpuQuota", "CpuPeriod", "Memory", "CpusetCpus"]), GARBAGE))
    def test_any_limit_is_positive_or_unknown(self, config: dict[str, object]) -> None:
        found = limits(**config)
        assert found.vcpus is None or found.vcpus > 0
        assert found.memory_bytes is None or found.memory_bytes > 0

    @given(
        st.fixed_dictionaries(
            {"Id": st.text(min_size=1)},
            optional=dict.fromkeys(("Names", "State", "Labels"), GARBAGE),
        )
    )
    def test_any_container_becomes_a_workload(self, listed: dict[str, object]) -> None:
        found = parse_container(listed)
        assert found is not None
        assert found.workload("docker", NO_LIMITS).state in (RUNNING, PAUSED, STOPPED)

    @given(
        st.dictionaries(
            st.sampled_from(["Runtimes", "Labels", "Driver", "DriverStatus", "DockerRootDir", "ServerVersion"]), GARBAGE
        )
    )
    def test_any_engine_is_read(self, info: dict[str, object]) -> None:
        told = parse_information(info)
        assert told.version is None or told.version >= 0
