"""What must not happen: a lost file, a process that hangs after fork, a process that dies of wrong arguments."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import phlox as px

SAVERS = {
    "safetensors": (lambda x, path: px.save({"x": x}, path), lambda path: px.load(path)["x"]),
    "npz": (lambda x, path: px.save({"x": x}, path), lambda path: px.load(path)["x"]),
    "npy": (px.save, px.load),
}


def run(program, *arguments, timeout=120):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.mark.parametrize("ending", SAVERS)
def test_a_full_disk_leaves_the_old_file(ending, tmp_path):
    """The limit on the size of files stands for the disk: writing fails in the middle."""
    save, load = SAVERS[ending]
    path = tmp_path / f"state.{ending}"
    save(px.arange(1000.0), path)
    old = path.read_bytes()
    done = run(
        """
        import resource, sys
        import phlox as px
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        x = px.rand(100_000)
        try:
            px.save(x if sys.argv[1].endswith("npy") else {"x": x}, sys.argv[1])
        except OSError as error:
            assert error.code == "E0805", error
            assert "an older file of this name is unchanged" in str(error), error
            print("refused")
        """,
        path,
    )
    assert done.stdout == "refused\n", done.stderr
    assert path.read_bytes() == old and load(path).tolist() == np.arange(1000.0).tolist()
    assert os.listdir(tmp_path) == [path.name], "no part of the new file stays"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux only")
def test_a_device_that_is_full():
    with pytest.raises(px.errors.FileError):
        px.save({"x": px.ones(3)}, "/dev/full/x.safetensors")


def test_a_kill_while_saving_leaves_a_checkpoint(tmp_path):
    """Killed at any moment, the file is a whole one: of one step, not of two."""
    program = """
        import sys
        import phlox as px
        state = {f"layer.{i}": px.zeros(64, 64) for i in range(8)}
        for step in range(1_000_000):
            for tensor in state.values():
                tensor.fill_(step)
            px.save({"model": state, "step": step}, sys.argv[1])
            if step == 0:
                print("begun", flush=True)
        """
    path = tmp_path / "checkpoint.safetensors"
    moments = random.Random(5)
    steps = []
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program), str(path)], stdout=subprocess.PIPE
        )
        assert process.stdout.readline() == b"begun\n"
        time.sleep(moments.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        checkpoint = px.load(path)
        assert len(checkpoint["model"]) == 8
        assert all((tensor == checkpoint["step"]).all() for tensor in checkpoint["model"].values())
        steps.append(checkpoint["step"])
    assert max(steps) > 0, "it was killed later than after the first step"


def work():
    """Enough for several threads, with gradients."""
    x = px.full((400, 400), 0.01, requires_grad=True)
    (x @ x).exp().sum().backward()
    assert (px.rand(1 << 18) < 1).all()
    return x.grad.numel()


def test_fork_after_threads_have_run():
    assert work() == 160000
    child = os.fork()
    if child == 0:
        os._exit(0 if work() == 160000 else 1)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0
            break
        time.sleep(0.01)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("the child hangs")
    assert work() == 160000, "the parent goes on"


def test_worker_processes_by_fork():
    work()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(_square, range(8)).get(timeout=60) == [float(n * n * 1000) for n in range(8)]


def _square(n):
    return (px.full((1000,), float(n)) ** 2).sum().item()


STRANGE = [
    "None", "'text'", "-1", "0", "7", "2**40", "2**70", "-(2**63)", "1.5", "float('nan')", "float('inf')", "True", "[]",
    "[1, 2]", "[-1]", "(0, 0)", "[2**62, 2**62]", "object()", "px.float16", "px.bool", "px.ones(0)", "px.ones(0, 3)",
    "px.tensor(1)", "px.ones(2, 3)", "px.ones(3, 2).T", "px.ones(1).expand(5)", "px.arange(6)", "px.tensor([-1, 10**12])",
    "px.tensor([True, False])", "[px.ones(2), px.ones(3)]", "[px.ones(0)]", "px.full((4,), float('nan'))",
    "px.tensor([1 + 2j])", "px.ones(2, requires_grad=True)", "px.ones([1] * 32)", "px.ones(2, dtype=px.uint64)",
]  # fmt: skip

HOSTILE = """
    import random, sys
    import phlox as px
    px.memory.set_limit(1 << 28)
    part, parts = int(sys.argv[1]), int(sys.argv[2])
    strange = [eval(text) for text in sys.argv[3:]]
    allowed = (px.PhloxError, MemoryError, OverflowError, TypeError, ValueError, RecursionError)
    calls = errors = 0
    for operation in px.operations()[part::parts]:
        choose = random.Random(operation.__name__)
        count = len(operation.parameters)
        for attempt in range(40):
            arguments = [choose.choice(strange) for _ in range(choose.randint(0, count))]
            print(operation.__name__, [str(a)[:40] for a in arguments], file=sys.stderr)
            calls += 1
            try:
                result = operation(*arguments)
                if isinstance(result, px.Tensor) and result.requires_grad and result.numel():
                    result.sum().backward()
            except allowed as error:
                errors += 1
                assert str(error), "an error says something"
    assert errors > calls // 4 and errors < calls
    print("alive")
    """


@pytest.mark.parametrize("part", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 8))])
def test_no_arguments_kill_the_process(part):
    done = run(HOSTILE, part, 8, *STRANGE, timeout=300)
    assert done.stdout == "alive\n", (done.returncode, "\n".join(done.stderr.splitlines()[-12:]))
