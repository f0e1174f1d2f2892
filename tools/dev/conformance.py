"""The outside judges: suites that no one here wrote, each with a floor in tests/conformance/floors.json."""

import os
import subprocess
from dataclasses import dataclass

from .building import build
from .environment import PYTHON, ensure_python_packages, ensure_system_packages, python_environment
from .shell import ROOT, Stop, say, step

FOLDER = ROOT / "tests" / "conformance"


@dataclass
class Judge:
    title: str
    program: str
    arguments: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()  # beside those that all need


JUDGES = {
    "opinfo": Judge("PyTorch's OpInfo database", "opinfo_judge.py"),
    "array_api": Judge("the Array API suite of data-apis", "array_api_judge.py"),
    "oracles": Judge(
        "NumPy and SciPy over generated arrays",
        "pytest_judge.py",
        ("oracles", "test_oracles.py", "--", "-n", "2"),
    ),
    "dlpack": Judge("DLPack with NumPy, PyTorch and JAX", "pytest_judge.py", ("dlpack", "test_dlpack.py")),
    "einsum": Judge("the tests of einops and opt_einsum", "einsum_judge.py"),
    "peers": Judge(
        "our own calls in PyTorch and TensorFlow",
        "pytest_judge.py",
        ("peers", "test_torch.py", "test_tensorflow.py"),
        packages=("tensorflow",),
    ),
}


def conformance(names: list[str], raise_floor: bool) -> bool:
    """Runs the judges, all without names, and prints what each found. False if one is below its floor."""
    if unknown := [name for name in names if name not in JUDGES]:
        raise Stop(f"there is no judge {unknown[0]}; there are {', '.join(JUDGES)}")
    ensure_system_packages()
    more = {group: None for name in names or JUDGES for group in JUDGES[name].packages}
    ensure_python_packages("build", "test", "bench", "conformance", *more)
    environment = {**os.environ, **python_environment(build("release"))}
    results = {}
    for name in names or JUDGES:
        judge = JUDGES[name]
        command = [str(PYTHON), judge.program, *(["--raise-floor"] if raise_floor else []), *judge.arguments]
        with step(judge.title):
            # Its output is shown as it comes; the line RESULT is what the table below repeats.
            process = subprocess.Popen(
                command, cwd=FOLDER, env=environment, stdout=subprocess.PIPE, text=True, errors="replace"
            )
            assert process.stdout
            result = "no result"
            for line in process.stdout:
                if line.startswith("RESULT "):
                    result = line.removeprefix("RESULT ").strip()
                else:
                    print(line, end="", flush=True)
            results[name] = (process.wait() == 0, result)
    for name, (held, result) in results.items():
        say(f"{'held ' if held else 'WORSE'}  {JUDGES[name].title}: {result}")
    return all(held for held, _ in results.values())
