"""The commands of `./dev` and their help."""

import argparse
import textwrap
import time
from pathlib import Path

from . import conformance, fuzzing, linting, testing
from .building import PRESETS, build
from .environment import PYTHON, describe, ensure_python_packages, ensure_system_packages, python_environment
from .shell import ROOT, Stop, run, say, step


def setup(_arguments: argparse.Namespace) -> bool:
    ensure_system_packages()
    ensure_python_packages("build", "test", "lint")
    describe()
    return True


def build_preset(arguments: argparse.Namespace) -> bool:
    folder = build(arguments.preset, *arguments.targets)
    say(f"built {folder.relative_to(ROOT)}")
    return True


def quickstart(arguments: argparse.Namespace) -> bool:
    """Trains in Python, saves, and lets both languages read the same digits with the saved file."""
    folder = build("release")
    output = folder / "quickstart"
    output.mkdir(exist_ok=True)
    data = ["--data", str(Path(arguments.data).resolve())] if arguments.data else []
    python: list[str | Path] = [PYTHON, ROOT / "examples" / "digits.py", *data]
    cpp: list[str | Path] = [folder / "examples" / "digits", *data]
    variables = python_environment(folder)
    with step("Learn: examples/digits.py"):
        run(*python, env=variables, cwd=output)
    with step("Read with the saved file: examples/digits.cc and examples/digits.py"):
        options = ("--predict", "digits.safetensors")
        read_by_cpp = run(*cpp, *options, cwd=output, quiet=True).stdout.split()
        read_by_python = run(*python, *options, env=variables, cwd=output, quiet=True).stdout.split()
    same = sum(c == p for c, p in zip(read_by_cpp, read_by_python, strict=True))
    say(f"C++ and Python agree on {same} of {len(read_by_cpp)} digits")
    say(f"written to {output.relative_to(ROOT)}: {', '.join(sorted(f.name for f in output.iterdir()))}")
    say("next: PYTHONPATH=build/release/python .venv/bin/python, build/release/bin/phlox, docs/tutorials")
    return same == len(read_by_cpp) > 0


def test(arguments: argparse.Namespace) -> bool:
    shards = arguments.shards or list(testing.SHARDS)
    if unknown := [shard for shard in shards if shard not in testing.SHARDS]:
        raise Stop(f"there is no shard {unknown[0]}; there are {', '.join(testing.SHARDS)}")
    return testing.test(shards, arguments.all, sanitize=arguments.all or not arguments.shards)


def fuzz(arguments: argparse.Namespace) -> bool:
    _, failed = fuzzing.fuzz(arguments.names, arguments.seconds, arguments.count)
    return failed == 0


def bench(arguments: argparse.Namespace) -> bool:
    ensure_system_packages()
    ensure_python_packages("build", "test", "bench")
    folder = build("release", options=("-DPHLOX_BENCHMARKS=ON",))
    programs = sorted((folder / "benchmarks").iterdir())
    scripts = sorted((ROOT / "benchmarks").glob("bench_*.py"))
    chosen = [f for f in [*programs, *scripts] if not arguments.names or f.stem in arguments.names]
    if not chosen:
        raise Stop("no such benchmark in benchmarks/")
    for file in chosen:
        with step(f"Benchmark {file.stem}"):
            command = [PYTHON, file] if file.suffix == ".py" else [file]
            run(*command, env=python_environment(folder))
    return True


def judge(arguments: argparse.Namespace) -> bool:
    return conformance.conformance(arguments.names, arguments.raise_floor)


UNDOCUMENTED = 701  # symbols without a comment, at most; it only falls


def docs(_arguments: argparse.Namespace) -> bool:
    ensure_system_packages("doxygen")
    ensure_python_packages("docs")
    folder = build("release")
    output = ROOT / "build" / "docs"
    output.mkdir(exist_ok=True)
    with step("C++ reference (Doxygen)"):
        run("doxygen", "docs/Doxyfile")
        warnings = (output / "cpp_warnings.txt").read_text().splitlines()
        places = {line.partition(" warning: ")[0] for line in warnings if "is not documented" in line}
        listing = f"{len(places)} symbols of the headers have no comment of their own: {output / 'cpp_warnings.txt'}"
        if len(places) > UNDOCUMENTED:
            raise Stop(f"{listing}; there were {UNDOCUMENTED}")
        say(listing)
    with step("Pages (MkDocs)"):
        run(PYTHON, "tools/make_docs.py", output, env=python_environment(folder))
        run(PYTHON, "-m", "mkdocs", "build", "-q", "-f", output / "mkdocs.yml")
    with step("Python reference (pdoc)"):
        pdoc = (PYTHON, "-m", "pdoc", "--docformat", "google", "-o", output / "python", "phlox")
        run(*pdoc, env=python_environment(folder), quiet=True)  # it cannot read our stubs, and says so
    say("written to build/docs: site/index.html, python/index.html, cpp/index.html")
    return True


def lint(arguments: argparse.Namespace) -> bool:
    return linting.lint(arguments.fix)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./dev",
        description="Build, test and measure Phlox. Each command first does what it needs: Debian packages\n"
        "(as root or with sudo), a .venv with pinned packages, configure, build.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name, function, summary, details=""):
        details = textwrap.dedent(details).strip()
        added = commands.add_parser(
            name,
            help=summary,
            description=f"{summary}\n\n{details}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(function=function)
        return added

    command("setup", setup, "install what building, testing and linting need")

    added = command("build", build_preset, "compile the library, the Python package, examples and tests")
    added.add_argument("targets", nargs="*", help="only these targets, such as phlox or phlox_tests")
    added.add_argument(
        "--preset", choices=PRESETS, default="release", help="kind of build (default: release)"
    )

    added = command("quickstart", quickstart, "train on handwritten digits, save, and use the file from C++")
    added.add_argument(
        "--data", metavar="DIR", help="a folder of MNIST-format IDX files in place of the digits"
    )

    added = command(
        "test",
        test,
        "run the C++ and Python tests",
        f"""
        Shards: {", ".join(testing.SHARDS)}.
        Without shards: the fast tests of all of them, and one of them again, chosen by the
        commit, under AddressSanitizer and UndefinedBehaviorSanitizer.
        The last line is `N passed, N failed`, of C++ and Python together.""",
    )
    added.add_argument("shards", nargs="*", metavar="SHARD", help="only these parts, without sanitizers")
    added.add_argument(
        "--all",
        action="store_true",
        help="slow tests too, all C++ tests under sanitizers, the fuzzers, and the outside judges",
    )

    added = command(
        "fuzz",
        fuzz,
        "feed random bytes to the parsers of files; compare random programs, eager and captured",
        """
        Builds tests/fuzz with clang, under AddressSanitizer and UndefinedBehaviorSanitizer, and runs each
        program. `programs` are random Python programs that must do captured what they do eagerly, bit by
        bit; those that do not are printed, as small as they become. `./dev test --all` does both for some
        seconds.""",
    )
    added.add_argument("names", nargs="*", help="only these, such as npz, csv or programs")
    added.add_argument("--seconds", type=int, default=60, help="for each program (default: 60)")
    added.add_argument(
        "--count", type=int, metavar="N", help="so many random programs, however long it takes"
    )

    added = command("bench", bench, "measure Phlox beside PyTorch")
    added.add_argument("names", nargs="*", help="only these files of benchmarks/, without their ending")

    added = command(
        "conformance",
        judge,
        "ask the outside judges, and hold their results against the stored floor",
        f"""
        Judges: {", ".join(conformance.JUDGES)}. Without names: all of them.
        tests/conformance/floors.json has what they said before; what became worse is an error.""",
    )
    added.add_argument("names", nargs="*", help="only these judges")
    added.add_argument(
        "--raise-floor", action="store_true", help="store what this run gave, if nothing is worse"
    )

    command("docs", docs, "write the pages and the references of C++ and Python to build/docs")

    added = command("lint", lint, "check form, style, types and layers")
    added.add_argument("--fix", action="store_true", help="mend what a tool can mend")

    arguments = parser.parse_args()
    started = time.monotonic()
    try:
        good = arguments.function(arguments)
    except Stop as reason:
        say(f"./dev: {reason}")
        return 1
    except KeyboardInterrupt:
        return 130
    if not good:
        say(f"./dev: failed after {time.monotonic() - started:.0f} s")
    return 0 if good else 1
