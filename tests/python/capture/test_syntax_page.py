"""docs/control-flow.md: its programs run, and it lists every refusal."""

# shard: graph

import linecache
import re
from pathlib import Path

import pytest
from phlox.capture import REFUSALS

import phlox as px

PAGE = (Path(__file__).parents[3] / "docs" / "control-flow.md").read_text()


@pytest.fixture
def programs():
    text = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    linecache.cache["control-flow.md"] = (len(text), None, text.splitlines(True), "control-flow.md")
    space = {"px": px}
    exec(compile(text, "control-flow.md", "exec"), space)
    return {name: f for name, f in space.items() if callable(f)}


def test_programs(programs):
    newton, run = px.jit(programs["newton"]), px.jit(programs["run"])
    for x in (9.0, 2.0):
        assert newton(px.tensor(x), 1e-4).item() == programs["newton"](px.tensor(x), 1e-4).item()

    def cell(x, state):
        return x + state

    assert run(cell, px.ones(4, 2), px.zeros(2))[-1].tolist() == [4, 4]
    root, slope = px.jit(programs["root_and_slope"])(px.tensor(9.0))
    assert root.item() == pytest.approx(3) and slope.item() == pytest.approx(1 / 6)
    xs = px.randn(5, 2)
    wanted = xs.cumsum(0) / px.arange(1.0, 6.0).unsqueeze(1)
    for mean in (programs["running_mean"], px.jit(programs["running_mean"])):
        px.testing.assert_close(mean(xs), wanted)
    with pytest.raises(px.GraphError) as error:
        px.jit(programs["sign"])(px.tensor(-1.0))
    shown = re.search(r"    GraphError: (.*?)\n", PAGE)[1]
    assert re.sub(r"line \d+", "line 2", str(error.value).split("\n")[0]) == shown


def test_messages_of_the_graph():
    def grows(n):
        out = []
        for i in range(n):
            out.append(i)
        return out

    said = "is another kind of value after a turn of"
    with pytest.raises(px.GraphError, match=said):
        px.jit(grows)(px.tensor(3))
    assert said in PAGE


@pytest.mark.parametrize("refusal", REFUSALS)
def test_each_refusal_is_listed(refusal):
    summary = REFUSALS[refusal][0]
    literal = max(re.split(r"\{\w+\}", summary), key=len).replace("`", "").strip()
    if refusal == "kinds_differ":
        literal = "before the loop, but a tensor after a turn of it"
    assert literal in PAGE.replace("`", "")
