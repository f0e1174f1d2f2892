"""How long `import` takes in a fresh interpreter, medians."""

import statistics
import subprocess
import sys

from side_by_side import print_machine

TIMED = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def median_seconds(module: str, runs: int = 9) -> float:
    command = [sys.executable, "-c", TIMED.format(module)]
    times = [float(subprocess.run(command, capture_output=True, text=True).stdout) for _ in range(runs)]
    return statistics.median(times)


if __name__ == "__main__":
    print_machine()
    for module in ("phlox", "torch"):
        print(
            f"import {module}: {median_seconds(module) * 1e3:.0f} ms"
            + (" (aim: 100 ms)" if module == "phlox" else "")
        )
