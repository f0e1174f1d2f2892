"""Holds the order of the house: a folder of src/phlox includes only from itself and those before it.

Prints each include that breaks the order, each file that is too long, and each folder that is too full.
"""

import re
import sys
from pathlib import Path

ORDER = [
    "base",
    "core",
    "math",
    "ops",
    "autograd",
    "sparse",
    "ragged",
    "extension",
    "device",
    "graph",
    "compiler",
    "io",
    "nn",
    "optim",
    "metrics",
    "data",
    "train",
    "vision",
    "cli",
]
LINES_A_FILE = 800
FILES_A_FOLDER = 40

SOURCES = Path(__file__).resolve().parents[1] / "src" / "phlox"
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]phlox/([^">]+)[">]', re.MULTILINE)


def faults(root: Path) -> list[str]:
    found = []
    for file in sorted([*root.rglob("*.h"), *root.rglob("*.cc")]):
        name = file.relative_to(root).as_posix()
        text = file.read_text()
        if text.count("\n") > LINES_A_FILE:
            found.append(f"{name}: longer than {LINES_A_FILE} lines")
        if "/" not in name:
            continue  # phlox.h includes all that is public
        folder = name.split("/")[0]
        if folder not in ORDER:
            found.append(f"{name}: the folder {folder} has no place in the order of tools/check_layers.py")
            continue
        for included in INCLUDE.findall(text):
            other = included.split("/")[0]
            if other not in ORDER:
                found.append(f'{name}: includes "phlox/{included}", which is in no folder of the house')
            elif ORDER.index(other) > ORDER.index(folder):
                found.append(f'{name}: includes "phlox/{included}"; {other} stands after {folder}')
    for folder_path in sorted(path for path in root.rglob("*") if path.is_dir()):
        count = sum(1 for path in folder_path.iterdir() if path.suffix in (".h", ".cc"))
        if count > 2 * FILES_A_FOLDER:  # header and source count as one
            found.append(f"{folder_path.relative_to(root)}: {count} files; split it by what they do")
    return found


if __name__ == "__main__":
    lines = faults(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCES)
    print(*lines, sep="\n", end="\n" if lines else "")
    sys.exit(1 if lines else 0)
