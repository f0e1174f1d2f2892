"""Judges Phlox by the tests of einops, and of opt_einsum's back ends, as their packages bring them.

python tests/conformance/einsum_judge.py [--raise-floor]
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest_judge

FOLDER = Path(__file__).parent


def tests_of(package: str) -> Path:
    spec = find_spec(package)
    assert spec and spec.origin
    return Path(spec.origin).parent / "tests"


def main() -> int:
    environment = {"EINOPS_TEST_BACKENDS": "phlox"}
    found = pytest_judge.run([tests_of("einops")], ["-p", "einops_plugin"], FOLDER, environment)
    backends = tests_of("opt_einsum") / "test_backends.py"
    # Two asserts of its tests with constants want the backend to be called "torch"; ours are in test_opt_einsum.py.
    chosen = ["-k", "test_torch and not constants", "-p", "phlox_as_torch"]
    found |= pytest_judge.run([backends], chosen, FOLDER)
    found |= pytest_judge.run(["test_opt_einsum.py"], [], FOLDER)
    return 0 if pytest_judge.judge("einsum", found, "--raise-floor" in sys.argv) else 1


if __name__ == "__main__":
    sys.exit(main())
