"""Running other programs, and saying what happens."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Stop(Exception):
    """Ends the command; its text is the one line that tells the user what is missing."""


def say(text: str) -> None:
    print(text, flush=True)


def run(
    *command: str | Path,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    quiet: bool = False,
    cwd: Path = ROOT,
) -> subprocess.CompletedProcess[str]:
    """Runs a program in the repository's root. With `quiet`, its output is shown only if it fails."""
    words = [str(word) for word in command]
    sys.stdout.flush()
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.STDOUT if quiet else None,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        raise Stop(f"cannot run {words[0]}: not found") from None
    if check and done.returncode != 0:
        if quiet:
            say(done.stdout)
        raise Stop(f"failed ({done.returncode}): {' '.join(words)}")
    return done


def read(*command: str | Path) -> str:
    """What a program prints, or "" if it fails or does not exist."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


@contextmanager
def step(title: str):
    """Frames a part of the work with its name and, at the end, its time."""
    say(f"== {title}")
    started = time.monotonic()
    yield
    say(f"== {title}: {time.monotonic() - started:.1f} s")


def processors() -> int:
    """How many compilers may run at once: one a processor, each with 1.5 GB of memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(len(os.sched_getaffinity(0)), int(memory / 1.5e9)))


def tracked_files(*patterns: str) -> list[str]:
    """Files under version control, and new ones that are not ignored, that match a git pattern."""
    names = read("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns)
    return [name for name in names.splitlines() if (ROOT / name).is_file()]


def one_line(words: Iterable[str]) -> str:
    return " ".join(words)
