"""px.debug.diff and bisect, `phlox graph`, and event files of TensorBoard."""

# shard: graph

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import phlox as px
from phlox import nn


def command(*words, folder):
    environment = {**os.environ, "PYTHONPATH": str(Path(px.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, "-m", "phlox", *map(str, words)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
    )


def graph_of(text):
    return px.Graph.parse(text)


ONE = """graph(%x: f32[2,3], %w: f32[3,4]) {
  %0: f32[2,4] = contraction(%x, %w)
  %1: f32[2,4] = relu(%0)
  %2: f32[2,4] = mul(%1, 2.0)
  %3: f32[2,4] = tanh(%2)
  return %3
}
"""


def test_diff_of_equal_graphs():
    renumbered = ONE.replace("%1", "%hidden").replace("%0", "%product")
    assert px.debug.diff(graph_of(ONE), graph_of(renumbered)) == "the graphs are equal\n"


def test_diff_shows_what_is_lost_new_and_changed():
    other = """graph(%x: f32[2,3], %w: f32[3,4], %b: f32[4]) {
  %0: f32[2,4] = contraction(%x, %w)
  %1: f32[2,4] = add(%0, %b)
  %2: f32[2,4] = relu(%1)
  %3: f32[2,4] = tanh(%2)
  return %3
}
"""
    assert px.debug.diff(graph_of(ONE), graph_of(other)) == (
        "+ input %b: f32[4]\n"
        "  %0: f32[2,4] = contraction(%x, %w)\n"
        "+ %b1: f32[2,4] = add(%0, %b)\n"
        "- %1: f32[2,4] = relu(%0)\n"
        "+ %1: f32[2,4] = relu(%b1)\n"
        "- %2: f32[2,4] = mul(%1, 2.0)\n"
        "- %3: f32[2,4] = tanh(%2)\n"
        "+ %3: f32[2,4] = tanh(%1)\n"
        "  return %3\n"
        "1 nodes equal, 2 changed, 1 only in the first, 2 only in the second\n"
    )


def test_diff_leaves_out_what_is_far_from_differences():
    lines = [f"  %{i + 1}: f32[2] = exp(%{i or 'x'})" for i in range(30)]
    text = "graph(%x: f32[2]) {\n" + "\n".join(lines) + "\n  return %30\n}\n"
    changed = text.replace("%16: f32[2] = exp(%15)", "%16: f32[2] = log(%15)")
    shown = px.debug.diff(graph_of(text), graph_of(changed)).splitlines()
    assert shown.count("  ...") == 2 and len(shown) < 12
    assert "- %15: f32[2] = exp(%14)" in shown and "+ %b15: f32[2] = log(%14)" in shown


def test_diff_of_regions_and_constants():
    def f(x, k):
        if x.sum() > 0:
            return x * k + px.tensor([1.0, k])
        return x

    a, b = (px.jit(lambda x, k=k: f(x, k)) for k in (2.0, 3.0))
    a(px.ones(2)), b(px.ones(2))
    shown = px.debug.diff(a, b)
    assert "region 0:" in shown and "region 1:" not in shown
    assert re.search(r"-     +%\d+: f32\[2\] = mul\(.*, 2\.0\)", shown), shown
    text = "graph(%x: f32[40]) {\n  %0: f32[40] = constant(@0)\n  %1: f32[40] = add(%x, %0)\n  return %1\n}\n"
    ones, zeros = (px.Graph.parse(text, [constant]) for constant in (px.ones(40), px.zeros(40)))
    assert px.debug.diff(ones, ones) == "the graphs are equal\n"
    assert "+ %0: f32[40] = constant(...)   (other values)" in px.debug.diff(ones, zeros)


def test_bisect_finds_the_pass_and_the_node():
    px.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2)
    ).eval()
    with px.no_grad():
        for norm in (net[1], net[4]):
            norm.running_mean.uniform_(-1, 1)
            norm.running_var.uniform_(0.1, 10)
        x = px.randn(2, 1, 8, 8)
        assert px.debug.bisect(net, x) is None
        found = px.debug.bisect(net, x, passes=["simplify", "fold_batch_norm", "share"])
        assert found.after == "fold_batch_norm" and 0 < found.largest_error < 1e-3
        assert "the pass fold_batch_norm changes results" in str(found) and "elements differ" in str(found)
        assert px.debug.bisect(net, x, passes=["fold_batch_norm"], tolerance=1e-3) is None


def test_first_difference_names_node_and_line():
    def f(x, bad):
        y = px.exp(x)
        z = y * (1.0001 if bad else 1.0)
        return px.sin(z)

    good, bad = (px.trace(f, px.ones(3), flag).graph for flag in (False, True))
    found = px.debug.first_difference(good, bad, [px.tensor([0.0, 1.0, 2.0])])
    assert found.node.split(" = ")[1].startswith("mul(")
    assert found.after == "" and "test_graph_tools.py" in found.location
    assert px.debug.first_difference(good, bad, [px.zeros(3)], tolerance=0.1) is None
    with pytest.raises(px.errors.ValueError, match="not like the inputs"):
        px.debug.first_difference(good, bad, [px.zeros(4)])


def test_bisect_runs_no_effects_and_changes_nothing(capsys):
    weight = px.ones(2, requires_grad=True)

    def step(x):
        px.debug.print("never")
        loss = (x * weight).sum()
        loss.backward()
        return loss

    assert px.debug.bisect(step, px.ones(2)) is None
    assert capsys.readouterr().out == "" and weight.grad is None
    with pytest.raises(px.errors.TypeError, match="is no graph"):
        px.debug.diff(step, step)


PROGRAM = """
import phlox as px
from phlox import nn

px.manual_seed(0)
net = nn.Linear(3, 2)


def forward(x):
    return px.relu(net(x)) * 1


traced = px.trace(forward, px.ones(4, 3))


class Holder:
    @staticmethod
    def method(x):
        return x + 1
"""


def test_the_command(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "one.graph").write_text(ONE)
    (tmp_path / "two.graph").write_text(ONE.replace("2.0", "2.5"))

    done = command("graph", "print", "one.graph", folder=tmp_path)
    assert done.stdout == ONE and done.returncode == 0
    assert command("graph", "print", "one.graph", "--dot", folder=tmp_path).stdout.startswith("digraph {")
    shown = command("graph", "print", "program:traced", "--locations", folder=tmp_path).stdout
    assert "relu(" in shown and "# program.py:10   return px.relu(net(x)) * 1   in Linear\n" in shown
    shown = command(
        "graph", "print", "program:forward", "--args", "f32[5,3]", "--passes", folder=tmp_path
    ).stdout
    assert shown.startswith("before all passes\ngraph(%x0: f32[5,3]") and "\nafter simplify\n" in shown
    assert "\nshare (unchanged)\n" in shown
    assert (
        "add(%x0, 1)"
        in command("graph", "print", "program:Holder.method", "--args=f32[2]", folder=tmp_path).stdout
    )

    refused = command("graph", "print", "program:forward", "--args", "f32[5,3], 3", folder=tmp_path)
    assert refused.returncode != 0 and "'3' of 'f32[5,3], 3' is no tensor" in refused.stderr

    same = command("graph", "diff", "one.graph", "one.graph", folder=tmp_path)
    assert same.stdout == "the graphs are equal\n" and same.returncode == 0
    differ = command("graph", "diff", "one.graph", "two.graph", folder=tmp_path)
    assert differ.returncode == 1 and "mul(%1, 2.5)" in differ.stdout

    fine = command("graph", "bisect", "program:traced", folder=tmp_path)
    assert fine.stdout == "no difference\n" and fine.returncode == 0, fine
    found = command("graph", "bisect", "one.graph", "two.graph", folder=tmp_path)
    assert found.returncode == 1 and "the first difference: %2: f32[2,4] = mul(%1, 2.5)" in found.stdout
    near = command("graph", "bisect", "one.graph", "two.graph", "--tolerance", "2", folder=tmp_path)
    assert near.stdout == "no difference\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["print", "missing.graph"], "there is no file missing.graph"),
        (["print", "nowhere:thing"], "there is no nowhere:thing"),
        (["print", "program.py:thing"], "named 'program'\n  try  program:thing"),
        (["print", "broken.graph"], "E1004"),
    ],
)
def test_what_the_command_cannot_read(tmp_path, words, said):
    (tmp_path / "broken.graph").write_text("graph(")
    done = command("graph", *words, folder=tmp_path)
    assert done.returncode == 1 and said in done.stderr


# --- TensorBoard


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        assert struct.unpack("<I", data[8:12])[0] == crc32c(data[:8])
        body = data[12 : 12 + length]
        assert struct.unpack("<I", data[12 + length : 16 + length])[0] == crc32c(body)
        yield body
        data = data[16 + length :]


def fields(data):
    """The fields of a protocol buffer, by number."""
    found = {}
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            value = varint()
        elif tag & 7 == 1:
            value = struct.unpack("<d", data[at : at + 8])[0]
            at += 8
        else:
            assert tag & 7 == 2
            length = varint()
            value = data[at : at + length]
            at += length
        found.setdefault(tag >> 3, []).append(value)
    return found


def test_tensorboard_event_file(tmp_path):
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))

    @px.jit
    def step(x):
        loss = net(x).sum()
        loss.backward()
        if loss > 0:
            loss = loss * 2
        return loss

    step(px.ones(5, 3))
    path = Path(px.debug.save_tensorboard_graph(tmp_path / "logs", step))
    assert path.parent == tmp_path / "logs" and "tfevents" in path.name
    version, event = map(fields, records(path.read_bytes()))
    assert version[3] == [b"brain.Event:2"] and event[1][0] > 1e9
    definition = fields(event[4][0])
    nodes = {}
    for raw in definition[1]:
        node = fields(raw)
        assert node[1][0] not in nodes
        nodes[node[1][0].decode()] = node
    for node in nodes.values():
        for name in node.get(3, []):
            assert name.decode().split(":")[0] in nodes
    assert any(name.startswith("0/contraction") for name in nodes), list(nodes)
    assert any(name.startswith("gradients/2/") for name in nodes)
    assert any("cond_region0/" in name for name in nodes)
    placeholder = next(node for name, node in nodes.items() if name == "inputs/x0")
    assert placeholder[2] == [b"Placeholder"]
    attributes = {fields(a)[1][0]: fields(fields(a)[2][0]) for a in placeholder[5]}
    assert attributes[b"T"][6] == [1]
    shape = fields(fields(attributes[b"_output_shapes"][1][0])[7][0])
    assert [fields(size)[1][0] for size in shape[2]] == [5, 3]
    second = px.debug.save_tensorboard_graph(tmp_path / "logs", step)
    assert second != str(path) and len(list((tmp_path / "logs").iterdir())) == 2
    with pytest.raises(px.errors.FileError):
        px.debug.save_tensorboard_graph("/dev/null/logs", step)


# --- levels


def test_each_level_says_more(capfd):
    lengths = []
    for level in range(8):
        with px.debug.level(level):
            f = px.jit(lambda x: px.relu(x + 1).sum() * 1)
            f(px.ones(3))
            f(px.ones(3))
        lengths.append(len(capfd.readouterr().err))
        if level == 4:
            said = capfd
    assert lengths[0] == 0
    with px.debug.level(7):
        f(px.tensor([1.0, 2.0, float("nan")]))
    said = capfd.readouterr().err
    assert "us  %" in said and "1 NaN" in said and "# test_graph_tools.py" in said
    with px.debug.level(5):
        px.jit(lambda x: (x * 2).exp())(px.ones(3))
    said = capfd.readouterr().err
    assert "captured: " in said and "plan: " in said and "in between" in said
    assert all(a < b or i == 1 for i, (a, b) in enumerate(zip(lengths, lengths[1:]))), lengths
