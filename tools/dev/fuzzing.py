"""Builds the programs of tests/fuzz with clang and runs them for some time; runs random programs, eagerly and captured."""

import os
import time
from pathlib import Path

from .building import build
from .environment import (
    PYTHON,
    commit,
    ensure_python_packages,
    ensure_system_packages,
    python_environment,
)
from .shell import ROOT, Stop, run, say

SEEDS = ROOT / "tests" / "fuzz" / "seeds"
LONGEST_INPUT = 4096


def programs(folder: Path, names: list[str]) -> list[Path]:
    found = {file.name.removesuffix("_fuzz"): file for file in (folder / "tests" / "fuzz").glob("*_fuzz")}
    if unknown := [name for name in names if name not in found]:
        raise Stop(f"there is no fuzzer {unknown[0]}; there are {', '.join(sorted(found))}")
    return [found[name] for name in names or sorted(found)]


def fuzz_programs(seconds: int, count: int | None) -> bool:
    """Random programs that are run eagerly and captured: others at each commit. True if none differs."""
    ensure_python_packages("build", "test")
    folder = build("release")
    limit = ("--count", count) if count else ("--seconds", seconds)
    first = int(commit()[:8] or "0", 16) * 10_000
    path = f"{folder / 'python'}{os.pathsep}{ROOT / 'tests' / 'python'}"
    arguments = ("-m", "fuzzing", *limit, "--first", first, "--findings", folder / "fuzz-programs")
    say("-- fuzz programs:")
    done = run(
        PYTHON,
        *map(str, arguments),
        env={**python_environment(folder), "PYTHONPATH": path},
        check=False,
    )
    return done.returncode == 0


def fuzz(names: list[str], seconds: int, count: int | None = None) -> tuple[int, int]:
    """Runs each fuzzer for some seconds; gives how many found nothing, and how many something.

    What was tried stays in build/fuzz/corpus for the next time; an input that fails goes to build/fuzz/findings.
    """
    passed = failed = 0
    if not names or "programs" in names:
        good = fuzz_programs(seconds, count)
        passed, failed = int(good), int(not good)
        if names == ["programs"]:
            return passed, failed
        names = [name for name in names if name != "programs"]
    ensure_system_packages("clang")
    folder = build("fuzz", "fuzzers")
    findings = folder / "findings"
    findings.mkdir(exist_ok=True)
    for program in programs(folder, names):
        name = program.name.removesuffix("_fuzz")
        corpus = folder / "corpus" / name
        corpus.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        done = run(
            program,
            *(f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}", "-timeout=10", "-rss_limit_mb=2048"),
            *("-print_final_stats=1", f"-artifact_prefix={findings}/{name}-"),
            *(corpus, SEEDS / name),
            env={"UBSAN_OPTIONS": "print_stacktrace=1"},
            check=False,
            quiet=True,
        )
        runs = next(
            (line.split()[-1] for line in done.stdout.splitlines() if "number_of_executed" in line), "0"
        )
        good = done.returncode == 0
        say(
            f"-- fuzz {name}: {runs} inputs in {time.monotonic() - started:.0f} s, {'well' if good else 'FOUND'}"
        )
        if not good:
            say("\n".join(done.stdout.splitlines()[-60:]))
            say(
                f"the input is in {findings.relative_to(ROOT)}; put it into tests/fuzz/seeds/{name} once mended"
            )
        passed, failed = passed + good, failed + (not good)
    return passed, failed
