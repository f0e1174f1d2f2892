"""`python -m phlox` and the console script `phlox`: the command, which is a C++ program beside this file."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    words = sys.argv[1:]
    program = find_program()
    if words[:1] in (["graph"], ["plan"]) and any(":" in word for word in words):
        from ._graph_tools import plan_text, with_files
        from .errors import PhloxError

        with tempfile.TemporaryDirectory() as folder:
            try:
                if words[0] == "plan":
                    print(plan_text(words), end="")
                    return
                words = with_files(words, Path(folder))
            except PhloxError as error:
                sys.exit(str(error))
            except Exception as error:  # of the program whose function it is
                sys.exit(
                    f'phlox {words[0]}: {type(error).__name__}: {error}\n  try  --args "f32[32,10], i64[32]"'
                )
            sys.exit(subprocess.run([program, *words]).returncode)
    os.execv(program, ["phlox", *words])


def find_program() -> Path:
    package = Path(__file__).parent
    # In a wheel it lies in the package; in a build folder, beside the folder of the package.
    for program in (package / "bin" / "phlox", package.parents[1] / "bin" / "phlox"):
        if program.exists():
            return program
    sys.exit(f"phlox: the program is missing beside {package}; install Phlox again")


if __name__ == "__main__":
    main()
