"""Training steps run eagerly, traced and with px.jit, beside PyTorch; what guards cost, and how long a capture takes.

Each column is a process of its own; they take turns, and a time is the median over rounds of the median of a round. All
run in one thread.
"""

import statistics
import sys
import time

from bench_models import GPT, RESNET
from side_by_side import ROUNDS, Case, Peer, pleasant, print_machine, worker

PERCEPTRON = """
net = nn.Sequential(nn.Linear({width}, {width}), nn.ReLU(), nn.Linear({width}, {width}), nn.ReLU(),
                    nn.Linear({width}, 10))
x, y = m.rand(32, {width}), m.randint(0, 10, (32,))
"""
STEP = """
optimizer = m.optim.{optimizer}
def step(x, y):
    optimizer.zero_grad()
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    return loss
for _ in range(3): step(x, y)
"""
# One for each column: how the step is made ready.
READY = [
    ("eager", "phlox", "run = step"),
    ("traced", "phlox", "run = m.trace(step, x, y).optimize()"),
    ("jit", "phlox", "run = m.jit(step); run(x, y)"),
    ("PyTorch", "torch", "run = step"),
]
STEPS = [
    (f"MLP of 3 layers of {width}, batch 32, {name}", PERCEPTRON.format(width=width), optimizer)
    for width in (16, 64, 256)
    for name, optimizer in (
        ("SGD", "SGD(net.parameters(), lr=0.01)"),
        ("AdamW", "AdamW(net.parameters(), lr=1e-3)"),
    )
]
CASES = [
    Case(title, setup + STEP.format(optimizer=optimizer) + ready, "run(x, y)", threads=1)
    for title, setup, optimizer in STEPS
    for _, _, ready in READY
]


def compare_steps() -> None:
    print("Captured training steps, one thread; ratios of eager Phlox and of PyTorch to px.jit")
    print(f"{'':44}" + "".join(f"{name:>9}" for name, _, _ in READY) + f"{'eager':>8}{'PyTorch':>9}")
    peers = [Peer(module, __file__) for _, module, _ in READY]
    for number, (title, _, _) in enumerate(STEPS):
        rounds = [
            [peer.measure(number * len(READY) + i)["seconds"] for i, peer in enumerate(peers)]
            for _ in range(ROUNDS)
        ]
        times = [statistics.median(column) for column in zip(*rounds)]
        eager, torch = (statistics.median(r[i] / r[2] for r in rounds) for i in (0, 3))
        columns = "".join(f"{pleasant(seconds):>9}" for seconds in times)
        print(f"{title:44}{columns}{eager:7.2f}x{torch:8.2f}x", flush=True)
    for peer in peers:
        peer.close()


def names_of(setup: str) -> dict:
    import phlox
    from phlox import nn

    names = {"m": phlox, "nn": nn, "F": nn.functional}
    exec(setup, names)
    return names


def time_guards() -> None:
    """What it takes to see that a captured step may be used again."""
    _, setup, optimizer = STEPS[3]
    names = names_of(setup + STEP.format(optimizer=optimizer) + "run = m.jit(step); run(x, y)")
    fits, args, calls = names["run"]._calls[0].fits, (names["x"], names["y"]), 20000
    times = []
    for _ in range(9):
        start = time.perf_counter()
        for _ in range(calls):
            fits(args, {})
        times.append((time.perf_counter() - start) / calls)
    print(f"Guards of the step of {STEPS[3][0]} (aim 2 us): {pleasant(statistics.median(times))}")


TOWERS = """
towers = [nn.Sequential(*(layer for _ in range(12) for layer in (nn.Linear(64, 64), nn.Tanh()))) for _ in range(2)]
x = m.rand(32, 64)
with m.no_grad():
    run = m.trace(lambda x: sum(tower(x) for tower in towers), x).optimize()
"""


def time_branches() -> None:
    """Two towers beside each other, in one thread and in two."""
    times: dict[int, list[float]] = {1: [], 2: []}
    runs = {}
    for threads in times:
        names = names_of(f"m.set_num_threads({threads})" + TOWERS)
        runs[threads] = names["run"], names["x"]
        names["run"](names["x"])
    for _ in range(200):
        for threads, (run, x) in runs.items():
            names["m"].set_num_threads(threads)
            run(x)
            start = time.perf_counter()
            for _ in range(10):
                run(x)
            times[threads].append((time.perf_counter() - start) / 10)
    one, two = (statistics.median(t) for t in times.values())
    print(f"Two towers of 12 layers of 64: {pleasant(one)} in one thread, {pleasant(two)} in two")


def time_capture(title: str, network: str, aim: str = "") -> None:
    """Of a training step with AdamW: from the source to the plan, without running it."""
    ready = STEP.format(optimizer="AdamW(net.parameters(), lr=1e-3)").replace("range(3)", "range(1)")
    names = names_of(network + "x = x[0]" + ready)
    x = names["x"]
    times = []
    for _ in range(3):
        names["m"].set_num_threads(1)
        step = names["m"].jit(names["step"])
        start = time.perf_counter()
        step(x, names["y"])
        middle = time.perf_counter()
        step(x, names["y"])
        end = time.perf_counter()
        times.append((middle - start) - (end - middle))
    operations = len(step.graph.operations)
    print(f"Capture of {title}, {operations} operations{aim}: {pleasant(statistics.median(times))}")


if __name__ == "__main__":
    if "--worker" in sys.argv:
        worker(sys.argv[sys.argv.index("--worker") + 1], CASES)
    else:
        print_machine()
        compare_steps()
        time_guards()
        time_branches()
        time_capture(
            "a training step of ResNet-50",
            RESNET.replace("(8, 3, 224, 224)", "(1, 3, 64, 64)").replace("(8,)", "(1,)"),
            " (aim 2 s)",
        )
        time_capture(
            "a training step of a GPT of 6 layers",
            GPT.replace("(8, 256)", "(2, 64)").replace("8 * 256", "2 * 64"),
        )
