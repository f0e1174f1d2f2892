"""Judges Phlox by PyTorch's OpInfo database, in several processes, and holds the result against the stored floor.

    python tests/conformance/opinfo_judge.py                          # everything, one to four minutes on two cores
    python tests/conformance/opinfo_judge.py --entries 'linalg\\..*'   # some entries, with what is wrong
    python tests/conformance/opinfo_judge.py --missing                # names that do not exist yet
    python tests/conformance/opinfo_judge.py --raise-floor            # after progress

`--library torch` asks PyTorch itself, through the same conversions: what it does not pass, cannot be asked.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import floors
from opinfo.exceptions import NO_COUNTERPART, is_excused

CHECKS = ("forward", "reduced", "gradient", "double_backward", "forward_mode", "vmap", "errors")
PATIENCE = 300  # seconds for one entry


def entries():
    warnings.filterwarnings("ignore")
    from torch.testing._internal.common_methods_invocations import op_db

    return op_db


def work(library: str, checks: list[str]) -> None:
    """A worker: reads numbers of entries, writes what came of them."""
    import torch
    from opinfo.entry import EntryCheck
    from opinfo.tensors import Library

    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "w")  # what libraries print goes elsewhere
    os.dup2(2, 1)
    database, tested = entries(), Library(library)
    for line in sys.stdin:
        found = EntryCheck(database[int(line)], tested, set(checks)).run()
        print(json.dumps(found), file=answers, flush=True)


class Workers:
    """Processes that check entries; one that crashes or hangs is an answer, and is replaced."""

    def __init__(self, arguments, numbers: list[int]) -> None:
        self.command = [
            sys.executable,
            __file__,
            "--worker",
            "--library",
            arguments.library,
            "--checks",
            *arguments.checks,
        ]
        self.waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in numbers:
            self.waiting.put(number)
        self.found: dict[int, dict] = {}

    def start(self) -> subprocess.Popen:
        return subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def follow(self) -> None:
        worker = self.start()
        while not self.waiting.empty():
            try:
                number = self.waiting.get_nowait()
            except queue.Empty:
                break
            guard = threading.Timer(PATIENCE, worker.kill)
            guard.start()
            try:
                worker.stdin.write(f"{number}\n")
                worker.stdin.flush()
                line = worker.stdout.readline()
            except BrokenPipeError:
                line = ""
            guard.cancel()
            if line:
                self.found[number] = json.loads(line)
            else:
                worker.kill()
                how = f"the process ended with {worker.wait()}"
                crash = {"samples": 1, "failed": [how]}
                self.found[number] = {"status": "checked", "checks": {"forward": crash}}
                worker = self.start()
        worker.stdin.close()
        worker.wait()

    def run(self, processes: int) -> dict[int, dict]:
        threads = [threading.Thread(target=self.follow) for _ in range(processes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.found


def excused(name: str, check: str, failed: list[str]) -> tuple[list[str], int]:
    """What remains of the failures without those that have a reason, and how many of these there were."""
    remaining = [line for line in failed if not is_excused(name, check, line)]
    return remaining, len(failed) - len(remaining)


def summarise(found: dict[str, dict]) -> tuple[dict[str, int], floors.Failures]:
    """Prints the table; gives what passed and what failed, as the floors hold it."""
    passed: dict[str, int] = collections.Counter()
    failures: floors.Failures = collections.defaultdict(dict)
    statuses = collections.Counter(r["status"] for r in found.values())
    print(
        f"{statuses['checked']} entries checked, {statuses['random']} of random numbers, {statuses['private']} private"
    )
    print(f"{'':17}{'entries':>9}{'all pass':>10}{'samples':>10}{'passed':>9}{'by exception':>15}")
    for check in (*CHECKS, "random"):
        rows = [(name, r["checks"][check]) for name, r in found.items() if check in r.get("checks", {})]
        if not rows:
            continue
        samples = differences = good_entries = good_samples = 0
        for name, row in rows:
            remaining, deliberate = excused(name, check, row["failed"])
            samples += row["samples"]
            differences += deliberate
            good_samples += row["samples"] - len(remaining)
            good_entries += not remaining
            if remaining:
                failures[check][name] = len(remaining)
        passed[f"{check} entries"], passed[f"{check} samples"] = good_entries, good_samples
        print(f"{check:17}{len(rows):9,}{good_entries:10,}{samples:10,}{good_samples:9,}{differences:15,}")
    return dict(passed), failures


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--entries", default="", metavar="REGEX", help="only entries of these names, with what is wrong"
    )
    parser.add_argument("--checks", nargs="+", choices=CHECKS, default=list(CHECKS))
    parser.add_argument("--library", default="phlox")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--missing", action="store_true", help="list the names that do not exist")
    parser.add_argument(
        "--raise-floor", action="store_true", help="store what this run gave, if nothing is worse"
    )
    parser.add_argument("--json", type=Path, help="write all failures there")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments.library, arguments.checks)
        return 0
    names = [entry.full_name for entry in entries()]
    chosen = [i for i, name in enumerate(names) if re.fullmatch(arguments.entries or ".*", name)]
    if arguments.missing:
        from opinfo.entry import PRIVATE
        from opinfo.tensors import Library

        library = Library(arguments.library)
        absent = {entries()[i].name for i in chosen if not library.function(entries()[i])}
        print("\n".join(sorted(name for name in absent if not PRIVATE.search(name))))
        return 0
    started = time.time()
    by_number = Workers(arguments, chosen).run(arguments.processes)
    found = {names[i]: by_number[i] for i in chosen}
    passed, failures = summarise(found)
    absent = sorted(name for name, r in found.items() if r["status"] == "unresolved")
    failures["missing"] = {name: 1 for name in absent if name not in NO_COUNTERPART}
    print(f"{len(absent)} names are missing: {' '.join(absent)}")
    print(f"{time.time() - started:.0f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))
    if arguments.entries:
        for name, result in found.items():
            for check, row in result.get("checks", {}).items():
                remaining, _ = excused(name, check, row["failed"])
                for line in remaining[:5]:
                    print(f"{name}  {check}  {line}")
                if len(remaining) > 5:
                    print(f"{name}  {check}  and {len(remaining) - 5} more")
        return 0
    if arguments.library != "phlox" or set(arguments.checks) != set(CHECKS):
        return 0
    held = floors.hold("opinfo", passed, failures, arguments.raise_floor)
    entries_passed = ", ".join(f"{check} {passed[f'{check} entries']}" for check in CHECKS)
    print(f"RESULT entries that pass: {entries_passed}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
