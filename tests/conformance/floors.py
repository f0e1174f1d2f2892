"""What the judges have been satisfied with so far. It may get better, never worse: floors.json is committed.

For each judge there is what failed, by name, with the number of its failures, and how many passed. A run is below the
floor when something fails more often than it did, or when fewer passed.
"""

from __future__ import annotations

import json
from pathlib import Path

FILE = Path(__file__).with_name("floors.json")

Failures = dict[str, dict[str, int]]  # check: {name: number of failures}


def read(judge: str) -> dict:
    return json.loads(FILE.read_text()).get(judge, {}) if FILE.exists() else {}


def write(judge: str, passed: dict[str, int], failures: Failures) -> None:
    floors = json.loads(FILE.read_text()) if FILE.exists() else {}
    failures = {check: dict(sorted(found.items())) for check, found in sorted(failures.items()) if found}
    floors[judge] = {"passed": dict(sorted(passed.items())), "failures": failures}
    FILE.write_text(json.dumps(dict(sorted(floors.items())), indent=1) + "\n")


def worse(judge: str, passed: dict[str, int], failures: Failures) -> list[str]:
    """One line for each thing that is worse than the floor."""
    floor = read(judge)
    lines = []
    # What was missing, exists now, and fails in part, is better than nothing.
    absent = floor.get("failures", {}).get("missing", {})
    for check, found in failures.items():
        known = floor.get("failures", {}).get(check, {})
        lines += [
            f"{judge} {check}: {name} fails {count} times, {known.get(name, 0)} at most were known"
            for name, count in sorted(found.items())
            if count > known.get(name, 0) and name not in absent
        ]
    lines += [
        f"{judge} {check}: {passed.get(check, 0)} passed, the floor is {least}"
        for check, least in floor.get("passed", {}).items()
        if passed.get(check, 0) < least
    ]
    return lines


def hold(judge: str, passed: dict[str, int], failures: Failures, raise_floor: bool) -> bool:
    """Prints what is worse; with `raise_floor`, stores a run that is nowhere worse. True when the floor holds."""
    lines = worse(judge, passed, failures) if read(judge) else []
    for line in lines:
        print("WORSE", line)
    if raise_floor and not lines:
        write(judge, passed, failures)
        print(f"{judge}: the floor in {FILE.name} is what this run gave")
    return not lines
