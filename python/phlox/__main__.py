"""`python -m phlox` and the console script `phlox`: the command, which is a C++ program beside this file."""

import os
import sys
from pathlib import Path


def main() -> None:
    package = Path(__file__).parent
    # In a wheel it lies in the package; in a build folder, beside the folder of the package.
    for program in (package / "bin" / "phlox", package.parents[1] / "bin" / "phlox"):
        if program.exists():
            os.execv(program, ["phlox", *sys.argv[1:]])
    sys.exit(f"phlox: the program is missing beside {package}; install Phlox again")


if __name__ == "__main__":
    main()
