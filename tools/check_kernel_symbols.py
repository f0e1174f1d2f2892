"""Holds the copies of kernels for different instruction sets apart: python3 check_kernel_symbols.py BUILD

A function that is compiled into several copies under one name is kept once by the linker, so a machine
without AVX-512 may then run the AVX-512 one, or a machine with it the slow one. Every symbol that a
kernel object defines for others must therefore carry the instruction set, by lying in the namespace
PHLOX_ISA, or be local. Prints those that do not.
"""

import subprocess
import sys
from pathlib import Path


def faults(build: Path) -> list[str]:
    found = []
    prefix = "phlox_kernels_"
    folders = sorted((build / "CMakeFiles").glob(f"{prefix}*.dir"))
    for folder in folders:
        instruction_set = folder.name.removeprefix(prefix).removesuffix(".dir")
        mangled = f"{len(instruction_set)}{instruction_set}"  # a name within a mangled C++ name
        objects = sorted(folder.rglob("*.o"))
        if not objects:
            continue
        listing = subprocess.run(
            ["nm", "--defined-only", "--extern-only", "--print-file-name", *map(str, objects)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for line in listing.splitlines():
            file, symbol = line.rsplit(":", 1)
            name = symbol.split()[-1]
            if mangled not in name:
                found.append(f"{Path(file).relative_to(folder)} for {instruction_set}: {name}")
    return found


if __name__ == "__main__":
    lines = faults(Path(sys.argv[1]))
    print(*lines, sep="\n", end="\n" if lines else "")
    sys.exit(1 if lines else 0)
