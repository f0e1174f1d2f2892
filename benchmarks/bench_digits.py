"""How well the network of the quick start reads held-out digits, for five seeds, and how long it learns."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "digits.py"
SEEDS = 5


def learn(seed):
    """Accuracy and seconds of one run of the example."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        command = [sys.executable, EXAMPLE, "--seed", str(seed)]
        done = subprocess.run(command, cwd=folder, env=os.environ, capture_output=True, text=True, check=True)
        return float(done.stderr.split()[-1]), time.monotonic() - started


accuracies = []
for seed in range(SEEDS):
    accuracy, seconds = learn(seed)
    accuracies.append(accuracy)
    print(f"seed {seed}   accuracy {accuracy:.2%}   {seconds:.1f} s", flush=True)
print(f"mean     accuracy {sum(accuracies) / SEEDS:.2%}")
