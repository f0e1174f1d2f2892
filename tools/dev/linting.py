"""Form and style of all languages in the repository; what can be mended by a tool is, with --fix."""

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from .building import build
from .environment import ensure_python_packages, ensure_system_packages, tool
from .shell import ROOT, processors, read, run, say, tracked_files

CLANG_TIDY_SECONDS = 150


def check_cpp_format(fix: bool) -> bool:
    files = tracked_files("*.h", "*.cc", "*.cu")
    if not files or fix:
        return not files or run(tool("clang-format"), "-i", *files, check=False).returncode == 0
    done = run(tool("clang-format"), "--dry-run", "-Werror", *files, quiet=True, check=False)
    faulty = sorted({line.split(":")[0] for line in done.stdout.splitlines() if ": error: " in line})
    for name in faulty:
        say(f"{name}: not as clang-format writes it")
    return done.returncode == 0


def python_files() -> list[str]:
    return ["dev", *tracked_files("*.py", "*.pyi")]


def check_python_format(fix: bool) -> bool:
    mode = [] if fix else ["--check"]
    return run(tool("ruff"), "format", "-q", *mode, *python_files(), check=False).returncode == 0


def check_python_style(fix: bool) -> bool:
    mode = ["--fix"] if fix else []
    return run(tool("ruff"), "check", "-q", *mode, *python_files(), check=False).returncode == 0


def check_python_types(_fix: bool) -> bool:
    folders = [name for name in ("python/phlox", "tools/dev") if (ROOT / name).is_dir()]
    return run(tool("mypy"), *folders, check=False).returncode == 0


def check_layers(_fix: bool) -> bool:
    return run(sys.executable, "tools/check_layers.py", check=False).returncode == 0


def changed_cpp_files() -> list[str]:
    """C++ files that differ from the main branch; on the main branch itself, from the commit before."""
    base = read("git", "merge-base", "HEAD", "origin/main") or read("git", "merge-base", "HEAD", "main")
    if not base or base == read("git", "rev-parse", "HEAD"):
        base = read("git", "rev-parse", "--verify", "-q", "HEAD~1")
    if not base:
        return []
    names = read("git", "diff", "--name-only", "--diff-filter=d", base, "--", "*.cc").splitlines()
    return names


def check_clang_tidy(_fix: bool) -> bool:
    """The checks of .clang-tidy on changed files, as many as the time allows."""
    changed = {str(ROOT / name) for name in changed_cpp_files()}
    if not changed:
        return True
    ensure_system_packages()
    folder = build("release", "phlox_declarations")
    commands = json.loads((folder / "compile_commands.json").read_text())
    files = sorted({entry["file"] for entry in commands} & changed)
    # Last, and only for omp.h, which the clang-tidy package does not bring.
    gcc_headers = f"--extra-arg=-idirafter{read('g++', '-print-file-name=include')}"
    deadline = time.monotonic() + CLANG_TIDY_SECONDS

    def tidy(file: str) -> bool | None:
        if time.monotonic() > deadline:
            return None
        command = (tool("clang-tidy"), "-p", folder, "--quiet", "--warnings-as-errors=*", gcc_headers, file)
        done = run(*command, quiet=True, check=False)
        if done.returncode != 0:
            say(done.stdout)
        return done.returncode == 0

    with ThreadPoolExecutor(processors()) as pool:
        results = list(pool.map(tidy, files))
    if None in results:
        say(f"clang-tidy: {results.count(None)} of {len(files)} changed files left unchecked, time is up")
    return False not in results


CHECKS: dict[str, Callable[[bool], bool]] = {
    "C++ format (clang-format)": check_cpp_format,
    "Python style (ruff check)": check_python_style,
    "Python format (ruff format)": check_python_format,
    "Python types (mypy)": check_python_types,
    "layers": check_layers,
    "changed C++ (clang-tidy)": check_clang_tidy,
}


def lint(fix: bool) -> bool:
    ensure_system_packages()
    ensure_python_packages("build", "test", "lint")
    failed = []
    for name, check in CHECKS.items():
        started = time.monotonic()
        good = check(fix)
        say(f"-- {name}: {'good' if good else 'FAILED'} in {time.monotonic() - started:.1f} s")
        if not good:
            failed.append(name)
    if failed and not fix:
        say(f"lint failed: {', '.join(failed)}; `./dev lint --fix` mends formats")
    return not failed
