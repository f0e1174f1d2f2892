"""What one call of an operation costs from Python, on ten floats, beside PyTorch: nanoseconds, medians."""

import statistics
import timeit

import phlox

try:
    import torch
except ImportError:
    torch = None

CALLS = {
    "a + a": "a + a",
    "a + 1.5": "a + 1.5",
    "a * 2": "a * 2",
    "add(a, a)": "m.add(a, a)",
    "relu(a)": "m.relu(a)",
    "a.relu()": "a.relu()",
    "a.add_(a) (no grad)": "b.add_(b)",
    "a > 0": "a > 0",
    "a[1:3]": "a[1:3]",
    "a[3]": "a[3]",
    "a[0] = 1.0 (no grad)": "b[0] = 1.0",
    "a.reshape(2, 5)": "a.reshape(2, 5)",
    "sum(a)": "m.sum(a)",
    "a.sum(dim=0, keepdim=True)": "a.sum(dim=0, keepdim=True)",
    "a.shape": "a.shape",
    "zeros(10)": "m.zeros(10)",
    "where(mask, a, b)": "m.where(mask, a, b)",
}


def measure(module, statement, requires_grad):
    names = {"m": module, "a": module.ones(10, requires_grad=requires_grad), "b": module.ones(10)}
    names["mask"] = names["b"] > 0
    timer = timeit.Timer(statement, globals=names)
    number = 20_000
    timer.timeit(number // 10)
    return statistics.median(timer.repeat(7, number)) / number * 1e9


def main():
    modules = [phlox] + ([torch] if torch else [])
    if torch:
        torch.set_num_threads(1)
    print(
        f"{'':28}"
        + "".join(f"{m.__name__:>10}{'+ grad':>10}" for m in modules)
        + ("     times" if torch else "")
    )
    for title, statement in CALLS.items():
        times = [measure(m, statement, grad) for m in modules for grad in (False, True)]
        row = f"{title:28}" + "".join(f"{t:10.0f}" for t in times)
        print(row + (f"{times[2] / times[0]:9.1f}x" if torch else ""))


if __name__ == "__main__":
    main()
