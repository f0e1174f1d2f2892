"""The machine: Debian packages, and a .venv with pinned PyPI packages. Does nothing when all is there."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .shell import ROOT, Stop, one_line, read, run, say, step

DEBIAN_PACKAGES = [
    "g++",
    "cmake",
    "ninja-build",
    "ccache",
    "mold",
    "git",
    "libbenchmark-dev",
    "libcli11-dev",
    "libfmt-dev",
    "libgtest-dev",
    "libopenblas-openmp-dev",
    "libpng-dev",
    "zlib1g-dev",
]

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"


def tool(name: str) -> Path:
    """A program that a PyPI package brought."""
    return VENV / "bin" / name


def ensure_system_packages(*more: str) -> None:
    """Installs the Debian packages of the build, and `more`, where they are missing."""
    if not shutil.which("dpkg-query"):
        return  # not Debian; what is missing is named by the configure step
    wanted = [*DEBIAN_PACKAGES, *more]
    if Path(sys.base_prefix) == Path("/usr"):
        wanted += ["python3-venv", "python3-dev"]
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\n", *wanted],
        capture_output=True,
        text=True,
    ).stdout
    present = {line.split()[0] for line in listed.splitlines() if line.endswith(" installed")}
    missing = [name for name in wanted if name not in present]
    if not missing:
        return
    if os.geteuid() == 0:
        prefix = []
    elif shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        prefix = ["sudo", "-n"]
    else:
        raise Stop(f"missing Debian packages; as root: apt-get install {one_line(missing)}")
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    with step(f"Debian packages: {one_line(missing)}"):
        run(*apt, "update", quiet=True)
        run(*apt, "install", "-y", "--no-install-recommends", *missing, quiet=True)


def ensure_python_packages(*groups: str) -> None:
    """Installs requirements/<group>.txt for each group whose text is not what was installed last."""
    # The base interpreter's path is part of what is remembered: a .venv outlives neither.
    stamp_of_venv = VENV / ".interpreter"
    interpreter = f"{sys.base_prefix} {sys.version}"
    if not PYTHON.exists() or not stamp_of_venv.exists() or stamp_of_venv.read_text() != interpreter:
        with step(f"Python environment {VENV.name}"):
            run(sys.executable, "-m", "venv", "--clear", VENV)
            stamp_of_venv.write_text(interpreter)
    for group in groups:
        requirements = ROOT / "requirements" / f"{group}.txt"
        digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
        stamp = VENV / f".requirements-{group}"
        if stamp.exists() and stamp.read_text() == digest:
            continue
        with step(f"Python packages for {group}"):
            pip = (PYTHON, "-m", "pip", "--disable-pip-version-check")
            run(*pip, "install", "-q", "-r", requirements, quiet=True)
        stamp.write_text(digest)


def python_environment(build: Path) -> dict[str, str]:
    """Environment variables with which Python finds the phlox of a build folder."""
    return {"PYTHONPATH": str(build / "python"), "PHLOX_BUILD_DIR": str(build)}


def commit() -> str:
    return read("git", "rev-parse", "HEAD")


def describe() -> None:
    say(f"Python {sys.version.split()[0]}, {read('g++', '--version').splitlines()[0]}")
