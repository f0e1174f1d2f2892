"""Passes over graphs from Python. That they keep every bit is tested with each operation (test_graph_operations.py) and with
whole training steps (test_trace.py); each rewrite in tests/cpp/passes_test.cc.
"""

# shard: graph

import os
import subprocess
import sys

import pytest

import phlox as px
from phlox import debug, nn


def test_passes_by_name():
    traced = px.trace(lambda x: px.relu(px.neg(px.neg(x * 1))).reshape(6).reshape(3, 2), px.ones(2, 3))
    assert traced.graph.optimize().operations == ["relu", "view.reshape", "view.reshape"]
    assert traced.graph.optimize([]).operations == traced.graph.operations
    assert traced.optimize(["simplify"])(px.ones(2, 3)).shape == (3, 2)
    assert "fold_constants" in px.Graph.passes() and all(px.Graph.passes().values())
    with pytest.raises(ValueError, match="there is no pass 'fold'") as error:
        traced.graph.optimize(["fold"])
    assert "fold_batch_norm" in str(error.value)


def test_batch_norm_of_a_trained_network_is_folded():
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    model(px.randn(8, 2, 5, 5))
    model.eval()
    x = px.randn(3, 2, 5, 5)
    with px.no_grad():
        traced = px.trace(model, x)
    fast = traced.optimize([*px.Graph.passes(), "simplify", "share"])
    assert "addcmul" in traced.graph.operations and "addcmul" not in fast.graph.operations
    px.testing.assert_close(fast(x), traced(x))


def test_memory_is_traded_for_work():
    def function(x):
        kept = [px.relu(x + i) for i in range(8)]
        total = px.zeros(1000)
        for k in kept:
            total = total + k.sum()
        for k in kept:
            total = total * k
        return total

    graph = px.trace(function, px.ones(1000)).graph.optimize()
    lean = graph.rematerialize(graph.peak_bytes // 2)
    lean.verify()
    assert lean.peak_bytes <= graph.peak_bytes // 2
    x = px.randn(1000)
    assert px.equal(graph.run([x])[0], lean.run([x])[0])
    with pytest.warns(UserWarning, match=r"rematerialize: peak_bytes is \d.* above the budget") as warned:
        least = graph.rematerialize(1000)
    assert least.peak_bytes > 1000
    assert warned[0].filename == __file__


def test_debug_levels(capfd):
    graph = px.trace(lambda x: x * 1 + 2, px.ones(3)).graph
    before = debug.current_level()
    with debug.level(1):
        graph.optimize(["simplify", "simplify"])
        with debug.level(0):
            graph.optimize()
    assert capfd.readouterr().err == "simplify: 3 -> 2 nodes\nsimplify (unchanged)\n"
    assert debug.current_level() == before
    with pytest.raises(ValueError, match="not one of 0 to 7"):
        debug.level(8)


@pytest.mark.parametrize(
    ("level", "said"),
    [("3", "share (unchanged)\ngraph("), ("loud", "PHLOX_DEBUG: 'loud' is not one of 0 to 7\n"), ("", "")],
)
def test_debug_level_from_the_environment(level, said):
    program = "import phlox as px; px.trace(lambda x: x * 1, px.ones(3)).graph.optimize(['share'])"
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PHLOX_DEBUG": level},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stderr.startswith(said) and (said or not run.stderr)
