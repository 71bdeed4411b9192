# SPDX-License-Identifier: Apache-2.0
"""Every machine of tests/hosts gives its whole expected document, whoever tells the topology."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from os_capability import collect
from os_capability.errors import MissingProgram
from tests.machines import expectation
from tests.machines.description import Machine
from tests.machines.shapes import SHAPES
from tests.machines.tree import files, links

HOSTS = Path(__file__).resolve().parents[1] / "hosts"
# What lscpu makes of a machine depends on its version; that sysfs's answer is given all the same is what we test.
ABOUT_LSCPU = {"lscpu-unavailable", "topology-disagreement"}
BEYOND_LSCPU = {
    "aarch64-big-little": "its core numbers start again with each kind of core",
    "riscv64-capacities": "on RISC-V version 2.38 prints rows without a CPU",
    "x86_64-old-kernel": "it insists on cpu/possible",
    "x86_64-proc-only": "it insists on cpu/possible",
}
NAMES = sorted(folder.parent.name for folder in HOSTS.glob("*/root"))


@pytest.mark.parametrize("source", ["sysfs", "auto"])
@pytest.mark.parametrize("name", NAMES)
def test_a_machine_gives_its_expected_document(name: str, source: str) -> None:
    expected = json.loads((HOSTS / name / "expected.json").read_text())
    document = collect(str(HOSTS / name / "root"), source).to_dict()
    assert differences(comparable(expected), comparable(document)) == []


@pytest.mark.parametrize("name", NAMES)
def test_lscpu_alone_gives_the_same_processors(name: str) -> None:
    if name in BEYOND_LSCPU:
        pytest.skip(f"lscpu cannot: {BEYOND_LSCPU[name]}")
    try:
        host = collect(str(HOSTS / name / "root"), "lscpu")
    except MissingProgram as error:
        pytest.skip(str(error))
    expected = json.loads((HOSTS / name / "expected.json").read_text())
    assert differences(by_lscpu(expected), by_lscpu(host.to_dict())) == []


def by_lscpu(document: dict[str, object]) -> dict[str, object]:
    """Give the part of a document that lscpu has: it knows no dies and no clusters before version 2.37."""
    plain: dict[str, Any] = json.loads(json.dumps(document))
    counts = {name: plain["cpu"][name] for name in ("online", "offline", "sockets", "cores", "threads")}
    columns = ("id", "online", "core", "socket", "node")
    rows = [{column: processor[column] for column in columns} for processor in plain["cpu"]["processors"]]
    return {**counts, "processors": rows}


@pytest.mark.parametrize("machine", SHAPES, ids=lambda machine: machine.name)
def test_the_folder_of_an_invented_machine_is_what_its_description_gives(machine: Machine) -> None:
    folder = HOSTS / machine.name
    on_disk = {str(p.relative_to(folder / "root")): p.read_text() for p in folder.rglob("root/**/*") if p.is_file()}
    assert on_disk == files(machine), "run python -m tests.machines"
    on_disk = {str(p.relative_to(folder / "root")): str(p.readlink()) for p in folder.rglob("*") if p.is_symlink()}
    assert on_disk == links(machine), "run python -m tests.machines"
    assert json.loads((folder / "expected.json").read_text()) == expectation.document(machine), (
        "run python -m tests.machines"
    )


def comparable(document: dict[str, object]) -> dict[str, object]:
    """Give the part of a document that is a fact: no moment of collection, warnings without their wording."""
    plain: dict[str, Any] = json.loads(json.dumps(document))
    plain.pop("collected_at", None)
    plain["warnings"] = sorted({warning["code"] for warning in plain["warnings"]} - ABOUT_LSCPU)
    if plain["cpu"]["caches"] is not None:
        plain["cpu"]["caches"].sort(key=json.dumps)  # their order is nobody's promise
    return plain


def differences(expected: object, found: object, path: str = "") -> list[str]:
    """Give a line for every place where two documents differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        keys = [*expected, *(key for key in found if key not in expected)]
        pairs = [(f"{path}.{key}", expected.get(key, "(absent)"), found.get(key, "(absent)")) for key in keys]
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = [(f"{path}[{at}]", *both) for at, both in enumerate(zip(expected, found, strict=True))]
    else:
        return [] if expected == found else [f"{path.lstrip('.')}: expected {expected!r}, found {found!r}"]
    return [line for below, one, other in pairs for line in differences(one, other, below)]
