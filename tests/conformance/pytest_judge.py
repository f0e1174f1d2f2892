"""Runs tests of outside suites and holds what came of them against the stored floor.

python tests/conformance/pytest_judge.py peers tests/conformance/test_torch.py [--raise-floor] [-- more options of pytest]
"""

from __future__ import annotations

import argparse
import collections
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import floors


def run(paths: list[str | Path], options: list[str], folder: Path | None = None, env: dict | None = None):
    """The outcome of each test: passed, failed or skipped, by name."""
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--tb=line",
            f"--junitxml={report}",
            "-p",
            "no:cacheprovider",
        ]
        done = subprocess.run(
            [*command, *options, *paths], cwd=folder, env={**os.environ, **(env or {})}, check=False
        )
        if not report.exists():
            sys.exit(f"pytest ended with {done.returncode} and no report")
        return outcomes(report)


def outcomes(report: Path) -> dict[str, str]:
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case}
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
        found[name] = (
            "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        )
    return found


def judge(name: str, found: dict[str, str], raise_floor: bool) -> bool:
    counts = collections.Counter(found.values())
    failures = {"tests": {test: 1 for test, outcome in found.items() if outcome == "failed"}}
    for test in sorted(failures["tests"]):
        print("failed", test)
    held = floors.hold(name, {"tests": counts["passed"]}, failures, raise_floor)
    print(
        f"RESULT {counts['passed']:,} of {len(found):,} pass, {counts['failed']} fail, {counts['skipped']} skipped"
    )
    return held


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="the name that the floor has")
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--raise-floor", action="store_true")
    own, options = sys.argv[1:], []
    if "--" in own:
        own, options = own[: own.index("--")], own[own.index("--") + 1 :]
    arguments = parser.parse_args(own)
    found = run(arguments.paths, options)
    return 0 if judge(arguments.name, found, arguments.raise_floor) else 1


if __name__ == "__main__":
    sys.exit(main())
