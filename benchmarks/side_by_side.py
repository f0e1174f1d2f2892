"""Times the same lines in Phlox and in PyTorch, each in a process of its own, turn by turn, and prints a table.

A benchmark file is a list of cases:

    from side_by_side import Case, compare
    CASES = [Case("add", "a = m.ones(10)", "a + a", aim=8)]
    if __name__ == "__main__":
        compare("Small calls", __file__, CASES)

In both strings `m` is `phlox` or `torch`, and `nn` and `F` are its layers and functions. The time of a case is the
median over rounds of the median of a round; a ratio is PyTorch's time over Phlox's.
"""

import importlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
import timeit
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 5
SECONDS_A_ROUND = 0.15


@dataclass(frozen=True)
class Case:
    title: str
    setup: str  # runs once, untimed
    statement: str  # is timed
    aim: float = 1.0  # the least ratio to PyTorch that is good enough; 0: none
    peer_setup: str = ""  # where PyTorch needs other lines for the same thing
    moved: float = 0  # bytes read and written; prints GB/s
    done: float = 0  # floating-point operations; prints GFLOP/s
    items: float = 0  # images or tokens; prints them a second
    nanoseconds: float = 0  # the most Phlox may take
    memory: bool = False  # runs in fresh processes and compares how much memory they came to use
    threads: int = 0  # 0: as many as there are


def worker(module_name: str, cases: list[Case]) -> None:
    """Answers each line of input, the number of a case and of threads, with its seconds a call."""
    module = importlib.import_module(module_name)
    functional = importlib.import_module(f"{module_name}.nn.functional")
    timers: dict[int, tuple[timeit.Timer, int]] = {}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    default_threads = len(os.sched_getaffinity(0))
    for line in sys.stdin:
        number = int(line)
        case = cases[number]
        module.set_num_threads(case.threads or default_threads)
        if number not in timers:
            timers.clear()  # frees the tensors of the case before
            names = {"m": module, "nn": module.nn, "F": functional}
            exec(case.peer_setup if module_name == "torch" and case.peer_setup else case.setup, names)
            timer = timeit.Timer(case.statement, globals=names)
            timer.timeit(2)
            once = timer.timeit(3) / 3
            timers[number] = timer, max(1, int(SECONDS_A_ROUND / 5 / max(once, 1e-9)))
            timer.timeit(timers[number][1])
        timer, calls = timers[number]
        seconds = statistics.median(timer.repeat(5, calls)) / calls
        memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
        print(json.dumps({"seconds": seconds, "memory": memory}), flush=True)


class Peer:
    """A process that times one library's side of the cases of a file."""

    def __init__(self, module: str, file: str):
        self.process = subprocess.Popen(
            [sys.executable, file, "--worker", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def measure(self, number: int) -> dict:
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"a case failed: {number}")
        return json.loads(answer)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def pleasant(seconds: float) -> str:
    for unit, size in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def rate(case: Case, seconds: float) -> str:
    if case.moved:
        return f"{case.moved / seconds / 1e9:.1f} GB/s"
    if case.done:
        return f"{case.done / seconds / 1e9:.0f} GFLOP/s"
    if case.items:
        return f"{case.items / seconds:,.0f} /s"
    return ""


def print_machine() -> None:
    try:
        text = Path("/proc/cpuinfo").read_text()
        model = next(line.split(":")[1].strip() for line in text.splitlines() if "model name" in line)
    except (OSError, StopIteration):
        model = platform.processor()
    load = os.getloadavg()[0]
    print(f"{model}, {len(os.sched_getaffinity(0))} processors, load {load:.1f}, {time.strftime('%Y-%m-%d')}")


def compare_grid(
    title: str, file: str, columns: list[str], rows: dict[str, list[Case]], mean: float, least: float
) -> None:
    """Prints a table of ratios, a line for each row of cases, and says how it stands with the aims for their geometric
    mean and for the least of them. `--only TEXT` chooses rows."""
    cases = [case for row in rows.values() for case in row]
    if is_worker(cases):
        return
    print(f"{title}: PyTorch's time over that of Phlox, medians of {ROUNDS} rounds")
    print_machine()
    print(f"{'':20}" + "".join(f"{column:>16}" for column in columns))
    peers = [Peer("phlox", file), Peer("torch", file)]
    all_ratios: list[float] = []
    number = 0
    for name, row in rows.items():
        text = f"{name:20}"
        for _ in row:
            if chosen() in name:
                rounds = [[peer.measure(number)["seconds"] for peer in peers] for _ in range(ROUNDS)]
                all_ratios.append(statistics.median(theirs / ours for ours, theirs in rounds))
                low = " <" if all_ratios[-1] < least else "  "
                ours = pleasant(statistics.median(r[0] for r in rounds))
                text += f"{ours:>8}{all_ratios[-1]:5.2f}x{low}"
            number += 1
        if chosen() in name:
            print(text, flush=True)
    for peer in peers:
        peer.close()
    found = statistics.geometric_mean(all_ratios)
    below = sum(ratio < least for ratio in all_ratios)
    print(f"geometric mean {found:.2f}x (aim {mean:g}x), {below} of {len(all_ratios)} below {least:g}x (<)")


def chosen() -> str:
    return sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else ""


def is_worker(cases: list[Case]) -> bool:
    """In a process that a comparison has started: times its side of the cases until there is nothing more to do."""
    if "--worker" not in sys.argv:
        return False
    worker(sys.argv[sys.argv.index("--worker") + 1], cases)
    return True


def compare(title: str, file: str, cases: list[Case]) -> None:
    """Runs the cases in both libraries and prints a line for each. `--only TEXT` chooses by title."""
    if is_worker(cases):
        return
    only = chosen()
    print(f"{title}: Phlox beside PyTorch, medians of {ROUNDS} rounds")
    print_machine()
    print(f"{'':44}{'Phlox':>9} {'PyTorch':>9} {'ratio':>7} {'aim':>5}  {'Phlox does':>14}")
    peers: list[Peer] = []
    missed = 0
    for number, case in enumerate(cases):
        if only not in case.title:
            continue
        if case.memory or not peers:
            for peer in peers:
                peer.close()
            peers = [Peer("phlox", file), Peer("torch", file)]
        rounds = [[peer.measure(number) for peer in peers] for _ in range(ROUNDS)]
        ours, theirs = (statistics.median(r[i]["seconds"] for r in rounds) for i in (0, 1))
        ratio = statistics.median(r[1]["seconds"] / r[0]["seconds"] for r in rounds)
        good = ratio >= case.aim and (not case.nanoseconds or ours * 1e9 <= case.nanoseconds)
        missed += not good
        aim = f"{case.aim:g}x" if case.aim else ""
        limit = f" of {case.nanoseconds:.0f}" if case.nanoseconds else ""
        text = f"{case.title:44}{pleasant(ours):>9} {pleasant(theirs):>9} {ratio:6.2f}x {aim:>5}"
        line = f"{text}  {rate(case, ours):>14}{limit}{'' if good else '  <'}"
        if case.memory:
            peak = [r["memory"] / 1e6 for r in rounds[-1]]
            line += f"  memory {peak[0]:.0f} MB, PyTorch {peak[1]:.0f}"
        print(line, flush=True)
    for peer in peers:
        peer.close()
    print(f"{missed} below their aim (<)" if missed else "all reach their aim")
