# SPDX-License-Identifier: Apache-2.0
"""What the containers are made of: a Debian root, the wheels that ours needs, and our own wheel and package.

The first two come from the network, once; they are kept in a folder that is named by what defines them.
"""

from __future__ import annotations

import configparser
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from os_capability import __version__

__all__ = ["NEEDED_PROGRAMS", "build_deb", "build_wheel", "newer_deb", "rootfs", "wheelhouse"]

TREE = Path(__file__).resolve().parents[2]
NEEDED_PROGRAMS = ("debootstrap", "dh", "git", "nsenter", "setpriv", "systemd-nspawn")

_RELEASE, _PYTHON = "bookworm", "3.11"
_PACKAGES = ("dbus", "procps", "python3", "python3-venv", "systemd", "systemd-sysv")
_BUILD_REQUIREMENTS = ("setuptools>=68", "wheel")


def rootfs() -> Path:
    """Give a folder with the smallest Debian that boots systemd and has Python; it is never changed."""
    include = ",".join(_PACKAGES)
    return _made_once(
        "rootfs",
        (_RELEASE, *_PACKAGES),
        lambda folder: _run("debootstrap", "--variant=minbase", f"--include={include}", _RELEASE, folder),
    )


def wheelhouse() -> Path:
    """Give a folder with every wheel that ours needs on that Debian, and what builds ours."""
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(TREE / "setup.cfg")
    extras = setup["options.extras_require"]
    wanted = setup["options"]["install_requires"].split("\n")
    for extra in ("api", "keystone", "mysql", "placement", "postgresql"):
        wanted += extras[extra].split("\n")
    requirements = [line.strip() for line in wanted if line.strip()] + list(_BUILD_REQUIREMENTS)
    return _made_once(
        "wheels",
        (_PYTHON, *requirements),
        lambda folder: _pip(
            "download", "--dest", folder, "--only-binary=:all:", f"--python-version={_PYTHON}", *requirements
        ),
    )


def build_wheel(folder: Path, version: str | None = None) -> Path:
    """Build the wheel of this tree as it stands, without the network; as another version of it where one is given."""
    with tempfile.TemporaryDirectory() as temporary:
        tree = _copy_of_tree(Path(temporary))
        if version is not None:
            _replace(
                tree / "os_capability" / "__init__.py", f'__version__ = "{__version__}"', f'__version__ = "{version}"'
            )
        wheels = f"--find-links={wheelhouse()}"
        _pip("wheel", "--no-index", wheels, "--no-deps", f"--wheel-dir={folder}", tree)
    return folder / f"os_capability-{version or __version__}-py3-none-any.whl"


def build_deb(folder: Path) -> Path:
    """Build the Debian package of this tree as `make deb` does, without the network."""
    _run(
        TREE / "debian" / "build",
        folder,
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(wheelhouse()),
        PYTHON=sys.executable,
        DPKG_DEB_COMPRESSOR_TYPE="none",  # compressing takes longer than all of the rest
    )
    return next(folder.glob("*.deb"))


def newer_deb(deb: Path, folder: Path, version: str) -> Path:
    """Make a package of another version out of a built one; its sample of the settings has changed, too."""
    wanted = folder / f"newer-{deb.name}"
    with tempfile.TemporaryDirectory() as temporary:
        tree = Path(temporary) / "tree"
        _run("dpkg-deb", "--raw-extract", deb, tree)
        _replace(tree / "DEBIAN" / "control", f"\nVersion: {__version__}\n", f"\nVersion: {version}\n")
        _set_version(tree / "usr" / "lib" / "os-capability" / "os_capability", version)
        with (tree / "etc" / "os-capability" / "host-agent.conf").open("a") as sample:
            sample.write("\n# An option that came with this version.\n")
        _run("dpkg-deb", "--root-owner-group", "--build", "-Znone", tree, wanted)
    return wanted


def _set_version(package: Path, version: str) -> None:
    _replace(package / "__init__.py", f'__version__ = "{__version__}"', f'__version__ = "{version}"')


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} in {path}"
    path.write_text(text.replace(old, new))


def _made_once(kind: str, recipe: Sequence[str], make: Callable[[Path], None]) -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "os-capability-tests"
    base.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256("\n".join(recipe).encode()).hexdigest()[:16]
    wanted, draft = base / f"{kind}-{digest}", base / f".{kind}-{digest}"
    with (base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wanted.exists():
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            make(draft)
            draft.rename(wanted)
    return wanted


def _copy_of_tree(folder: Path) -> Path:
    """Copy what is or could be committed: a build in the tree itself would leave its traces there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=TREE,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (TREE / name).is_file():  # a file may be deleted and the deletion not committed yet
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TREE / name, folder / name)
    return folder


def _pip(*arguments: str | Path) -> None:
    _run(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)


def _run(*command: str | Path, **environment: str) -> None:
    done = subprocess.run(
        command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout[-4000:]}")
