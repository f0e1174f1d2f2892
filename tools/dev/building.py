"""Configure and compile one CMake preset."""

import os
import platform
from pathlib import Path

from .environment import PYTHON, ensure_python_packages, ensure_system_packages
from .shell import ROOT, processors, run, step

PRESETS = ["release", "debug", "asan", "tsan", "fuzz"]


def build(preset: str = "release", *targets: str, options: tuple[str, ...] = ()) -> Path:
    """Builds `targets` (all by default) after whatever they need, and returns the build folder."""
    ensure_system_packages()
    ensure_python_packages("build", "test")
    folder = ROOT / "build" / preset
    os.environ.setdefault("CCACHE_BASEDIR", str(ROOT))  # so that another clone finds the same results

    if preset in ("asan", "tsan") and platform.machine() == "x86_64":
        # Kernels are the larger part of such a build, and differ between instruction sets in width only.
        options = (*options, "-DPHLOX_INSTRUCTION_SETS=avx2")
    # CMake repeats its own work when its files change; here only what it cannot see: other options.
    asked = " ".join(("--preset", preset, f"-DPython_EXECUTABLE={PYTHON}", *options))
    stamp = folder / ".configured"
    if not (folder / "build.ninja").exists() or not stamp.exists() or stamp.read_text() != asked:
        with step(f"Configure {preset}"):
            run("cmake", *asked.split(" "), quiet=True)
            stamp.write_text(asked)

    run("ninja", f"-j{processors()}", *targets, env={"NINJA_STATUS": "[%f/%t %es] "}, cwd=folder)
    return folder
