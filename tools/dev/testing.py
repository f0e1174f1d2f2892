"""Runs the tests, C++ and Python, in named shards, and adds up what they say.

A shard is a part of the library. A C++ test file belongs to the shard of the last folder (in the
order of the house) from which it includes; a Python test file to `tensors`. A line `shard: NAME` in a
comment of the file says otherwise. Tests that no file names, because a registry makes them, run in
`tensors`. Tests are slow, and run only with --all, if their name contains "Slow" (C++) or they are
marked `@pytest.mark.slow` (Python).
"""

import json
import os
import re
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from check_layers import ORDER

from .building import build
from .conformance import JUDGES, conformance
from .environment import PYTHON, commit, python_environment
from .fuzzing import fuzz
from .shell import ROOT, Stop, processors, read, run, say

SHARDS = {
    "foundation": ["base", "core", "math"],
    "tensors": ["ops", "autograd", "device", "sparse", "ragged", "extension"],
    "graph": ["graph"],
    "compiler": ["compiler"],
    "files": ["io", "cli"],
    "networks": ["nn", "optim", "metrics", "data", "train", "vision"],
}
DEFAULT_SHARD = "tensors"


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def shard_of(file: Path) -> str:
    text = file.read_text()
    if said := re.search(r"^(?://|#) shard: (\w+)", text, re.MULTILINE):
        if said[1] not in SHARDS:
            raise Stop(f"{file.relative_to(ROOT)}: there is no shard {said[1]}")
        return said[1]
    folders = set(re.findall(r'#include "phlox/(\w+)/', text)) & set(ORDER)
    if not folders:
        return DEFAULT_SHARD
    last = max(folders, key=ORDER.index)
    return next(shard for shard, members in SHARDS.items() if last in members)


def cpp_suites(program: Path) -> dict[str, list[str]]:
    """The test suites of the C++ test program, by shard."""
    written: dict[str, str] = {}
    for file in sorted((ROOT / "tests" / "cpp").glob("*_test.cc")):
        shard = shard_of(file)
        for suite in re.findall(r"\b(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+)", file.read_text()):
            written[suite] = shard
    suites: dict[str, list[str]] = {shard: [] for shard in SHARDS}
    for line in read(program, "--gtest_list_tests").splitlines():
        if not line or line[0].isspace() or not (match := re.match(r"(\S+)\.(\s|$)", line)):
            continue
        # Instance/Suite/0 is how GoogleTest names parametrised and typed suites.
        shard = next((written[part] for part in match[1].split("/") if part in written), DEFAULT_SHARD)
        suites[shard].append(match[1])
    return suites


def run_cpp(program: Path, suites: list[str], everything: bool, report: Path) -> Counts:
    filters = ":".join(f"{suite}.*" for suite in suites)
    if not everything:
        filters += ":-*Slow*"
    report.unlink(missing_ok=True)
    sanitizer_options = {
        "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "detect_stack_use_after_return=1"),
        "UBSAN_OPTIONS": os.environ.get("UBSAN_OPTIONS", "print_stacktrace=1"),
        # oneDNN and OpenBLAS have threads of their own, which ThreadSanitizer does not see wait for each other.
        "TSAN_OPTIONS": os.environ.get("TSAN_OPTIONS", "halt_on_error=1:ignore_noninstrumented_modules=1"),
    }
    done = run(
        program,
        f"--gtest_filter={filters}",
        f"--gtest_output=json:{report}",
        "--gtest_brief=1",
        env={**sanitizer_options, "PHLOX_TEST_ALL": "1" if everything else "0"},
        check=False,
    )
    if not report.exists():  # the program died
        say(f"the C++ tests ended with status {done.returncode} before they were through")
        return Counts(failed=1)
    counts = Counts()
    for suite in json.loads(report.read_text())["testsuites"]:
        for test in suite["testsuite"]:
            if test.get("failures"):
                counts.failed += 1
            elif test["result"] == "SKIPPED":
                counts.skipped += 1
            elif test["result"] == "COMPLETED":
                counts.passed += 1
    if done.returncode != 0 and counts.failed == 0:  # a leak or a race is found only at the end
        say(f"the C++ tests ended with status {done.returncode}")
        counts.failed += 1
    return counts


def run_python(files: list[Path], everything: bool, folder: Path, report: Path) -> Counts:
    report.unlink(missing_ok=True)
    done = run(
        PYTHON,
        *("-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider"),
        *("-n", str(processors()), "--dist", "loadfile"),
        *("-m", "" if everything else "not slow"),
        f"--junitxml={report}",
        *files,
        env={**python_environment(folder), "PHLOX_TEST_ALL": "1" if everything else "0"},
        check=False,
    )
    if not report.exists():
        return Counts(failed=1)
    counts = Counts()
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped = int(suite.get("skipped", 0))
        counts += Counts(int(suite.get("tests", 0)) - failed - skipped, failed, skipped)
    if done.returncode not in (0, 5) and counts.failed == 0:  # 5: nothing was selected
        counts.failed += 1
    return counts


def run_shard(shard: str, folder: Path, everything: bool) -> Counts:
    """The tests of one shard, C++ then Python, with the build in `folder`."""
    counts = Counts()
    program = folder / "phlox_tests"
    if program.exists() and (suites := cpp_suites(program)[shard]):
        counts += run_cpp(program, suites, everything, folder / f"tests-cpp-{shard}.json")
    if (folder / "python").exists():
        files = sorted((ROOT / "tests" / "python").rglob("test_*.py"))
        if files := [file for file in files if shard_of(file) == shard]:
            counts += run_python(files, everything, folder, folder / f"tests-python-{shard}.xml")
    return counts


def timed(title: str, counts: Counts, started: float) -> Counts:
    say(f"-- {title}: {counts} in {time.monotonic() - started:.1f} s")
    return counts


def run_sanitizer(preset: str, shards: list[str], everything: bool) -> Counts:
    started = time.monotonic()
    folder = build(preset, "phlox_tests")
    timed(f"{preset} build", Counts(), started)
    counts = Counts()
    for shard in shards:
        started = time.monotonic()
        counts += timed(f"{shard} ({preset})", run_shard(shard, folder, everything), started)
    return counts


def test(shards: list[str], everything: bool, sanitize: bool) -> bool:
    """Runs the shards and ends with the line that counts; true if nothing failed."""
    folder = build("release")
    total = Counts()
    for shard in shards:
        started = time.monotonic()
        total += timed(shard, run_shard(shard, folder, everything), started)
    if sanitize:
        suites = cpp_suites(folder / "phlox_tests")
        candidates = [shard for shard in shards if suites[shard]]
        # One shard a commit, so that each has its turn and a commit always gets the same one.
        turn = int(commit()[:8] or "0", 16)
        chosen = candidates if everything else [candidates[turn % len(candidates)]] if candidates else []
        total += run_sanitizer("asan", chosen, everything)
        if everything:
            # Slow tests go through many numbers, in no other threads than fast ones.
            total += run_sanitizer("tsan", chosen, everything=False)
            passed, failed = fuzz([], seconds=20)
            total += Counts(passed, failed)
    if everything:
        started = time.monotonic()
        held = conformance([], raise_floor=False)
        total += timed("outside judges", Counts(len(JUDGES)) if held else Counts(failed=1), started)
    say(str(total))
    return total.failed == 0 and total.passed > 0
