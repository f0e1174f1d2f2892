"""Makes a finding small: leaves out whatever does not matter for the difference."""

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


def shrink(program, still_differs=lambda p: compare(p).kind == "different"):
    """The smallest program found that still differs."""
    progress = True
    while progress:
        progress = False
        for candidate in smaller(program):
            if still_differs(candidate):
                program, progress = candidate, True
                break
    return program
