"""Judges phlox.array_api by the suite of data-apis, which is no part of this repository.

    PHLOX_ARRAY_API_TESTS=~/array-api-tests python tests/conformance/array_api_judge.py [--raise-floor] [--examples 100]

The folder is a checkout of https://github.com/data-apis/array-api-tests with its submodule:

    git clone --recurse-submodules https://github.com/data-apis/array-api-tests && cd array-api-tests && git checkout 55fcc601

What runs there is

    ARRAY_API_TESTS_MODULE=phlox.array_api ARRAY_API_TESTS_VERSION=2024.12 \\
        python -m pytest array_api_tests --max-examples 100 --disable-deadline --derandomize

Without the variable nothing is run, which the result says.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pytest_judge

VARIABLE = "PHLOX_ARRAY_API_TESTS"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--raise-floor", action="store_true")
    parser.add_argument("--examples", default="100")
    arguments = parser.parse_args()
    folder = os.environ.get(VARIABLE)
    if not folder:
        print(f"RESULT not run: {VARIABLE} does not name a checkout of data-apis/array-api-tests")
        return 0
    environment = {"ARRAY_API_TESTS_MODULE": "phlox.array_api", "ARRAY_API_TESTS_VERSION": "2024.12"}
    options = ["--max-examples", arguments.examples, "--disable-deadline", "--derandomize", "-n", "2"]
    found = pytest_judge.run(["array_api_tests"], options, Path(folder).expanduser(), environment)
    return 0 if pytest_judge.judge("array_api", found, arguments.raise_floor) else 1


if __name__ == "__main__":
    sys.exit(main())
