"""`python -m fuzzing`: compares many programs and prints findings, as small as they become."""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from .compare import compare
from .program import draw_program
from .shrink import shrink


def main():
    parser = argparse.ArgumentParser(prog="fuzzing", description=__doc__)
    parser.add_argument("--count", type=int, help="how many programs")
    parser.add_argument("--seconds", type=float, help="for how long")
    parser.add_argument("--first", type=int, default=0, help="the number of the first program")
    parser.add_argument("--findings", type=Path, help="a folder for findings; else they are only printed")
    parser.add_argument("--show", action="store_true", help="print each program")
    parser.add_argument("--refusals", action="store_true", help="say why programs were refused")
    options = parser.parse_args()
    started, number = time.monotonic(), options.first
    counts, refusals = Counter(), Counter()
    while options.count is None or number < options.first + options.count:
        if options.seconds is not None and time.monotonic() - started > options.seconds:
            break
        program = draw_program(number)
        if options.show:
            print(program.text(), flush=True)
        outcome = compare(program)
        counts[outcome.kind] += 1
        if outcome.kind in ("refused", "invalid"):
            refusals[outcome.kind + " " + outcome.what[:100]] += 1
        if outcome.kind == "different":
            program = shrink(program)
            text = f"{program.text()}\n# {compare(program).what}\n"
            print(text, flush=True)
            if options.findings:
                options.findings.mkdir(parents=True, exist_ok=True)
                (options.findings / f"program-{number}.py").write_text(text)
        number += 1
    if options.refusals:
        for reason, count in refusals.most_common(40):
            print(f"{count:6} {reason}")
    parts = ", ".join(f"{counts[kind]} {kind}" for kind in ("same", "different", "refused", "invalid"))
    print(f"{sum(counts.values())} programs in {time.monotonic() - started:.0f} s: {parts}", flush=True)
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
