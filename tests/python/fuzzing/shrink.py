"""Makes a finding small: leaves out whatever does not matter for the difference."""

import re
from dataclasses import replace

from .compare import compare


def smaller(program):
    """Programs with one thing less, the last first."""
    for part in ("between", "results", "body", "arguments", "state"):
        items = getattr(program, part)
        for i in reversed(range(len(items))):
            yield replace(program, **{part: items[:i] + items[i + 1 :]})
    for i, text in enumerate(program.body):  # a block without its head
        head, *inner = text.splitlines()
        if head.endswith(":") and inner:
            kept = "\n".join(line[4:] for line in inner if line.startswith("    "))
            yield replace(program, body=(*program.body[:i], kept, *program.body[i + 1 :]))


def shrink(program):
    """The smallest program found that still differs in the same way."""

    def way(candidate):
        outcome = compare(candidate)
        return outcome.kind, re.split("[:,]", outcome.what)[0]

    wanted, progress = way(program), True
    while progress:
        progress = False
        for candidate in smaller(program):
            if way(candidate) == wanted:
                program, progress = candidate, True
                break
    return program
