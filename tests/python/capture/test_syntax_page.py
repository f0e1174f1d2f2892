"""docs/control-flow.md: its programs run, and it lists every refusal."""

import linecache
import re
from pathlib import Path

import pytest
from phlox.capture import REFUSALS, Backend, capturing, convert

import phlox as px

PAGE = (Path(__file__).parents[3] / "docs" / "control-flow.md").read_text()


@pytest.fixture
def programs():
    text = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    linecache.cache["control-flow.md"] = (len(text), None, text.splitlines(True), "control-flow.md")
    space = {"px": px}
    exec(compile(text, "control-flow.md", "exec"), space)
    return {name: convert(f) for name, f in space.items() if callable(f)}


def test_programs(programs):
    with capturing(Backend()):
        assert programs["newton"](px.tensor(9.0), 1e-4).item() == pytest.approx(3)
        xs = px.ones(4, 2)
        assert programs["run"](lambda x, state: x + state, list(xs), px.zeros(2))[-1].tolist() == [4, 4]
        assert programs["sign"](px.tensor(-1.0)) == "negative"


@pytest.mark.parametrize("refusal", REFUSALS)
def test_each_refusal_is_listed(refusal):
    summary = REFUSALS[refusal][0]
    literal = max(re.split(r"\{\w+\}", summary), key=len).replace("`", "").strip()
    if refusal == "kinds_differ":
        literal = "before the loop, but a tensor after a turn of it"
    assert literal in PAGE.replace("`", "")
