"""The texts of errors: what was expected, both sides, the line of the program, a cure."""

import numpy as np
import pytest

import phlox as px


def text_of(function):
    with pytest.raises(px.PhloxError) as error:
        function()
    return str(error.value)


def lines_without_place(text):
    return [line for line in text.split("\n") if not line.startswith("  at ")]


x = px.ones(3, 4)
w = px.ones(3, 4)
leaf = px.ones(2, requires_grad=True)


GOLDEN = {
    "broadcast": (
        lambda: px.ones(3, 4) + px.ones(3, 5),
        px.ShapeError,
        "E0201",
        ["add"],
    ),
    "inner sizes": (lambda: x @ w, px.ShapeError, "E0203", ["matmul: inner sizes differ, 4 and 3", "try"]),
    "reshape": (lambda: x.reshape(5, 2), px.ShapeError, "E0202", ["reshape", "12"]),
    "dim": (lambda: x.sum(2), px.ShapeError, "E0206", ["sum", "2"]),
    "dim twice": (lambda: x.sum((0, 0)), px.ShapeError, "E0210", ["sum", "0"]),
    "index": (lambda: x[3], px.errors.IndexError, "E0501", ["3", "out of range", "allowed are -3 to 2"]),
    "indices": (lambda: x[0, 0, 0], px.errors.IndexError, "E0502", ["3", "2"]),
    "index kind": (lambda: x["a"], px.errors.IndexError, "E0503", ["str"]),
    "argument type": (
        lambda: px.relu([1.0]),
        px.errors.TypeError,
        "E0104",
        ["relu: 'input' must be a tensor", "px.tensor(data)"],
    ),
    "array": (lambda: px.relu(np.ones(2)), px.errors.TypeError, "E0104", ["px.from_numpy(array)"]),
    "missing": (
        lambda: px.relu(),
        px.errors.TypeError,
        "E0105",
        ["relu: the argument 'input' is missing", "relu(input)"],
    ),
    "unknown keyword": (
        lambda: px.relu(x, foo=1),
        px.errors.TypeError,
        "E0104",
        ["there is no argument 'foo'"],
    ),
    "too many": (
        lambda: px.relu(x, x, x),
        px.errors.TypeError,
        "E0104",
        ["relu: takes at most 1 arguments, and 3 were given"],
    ),
    "twice": (lambda: px.relu(x, input=x), px.errors.TypeError, "E0104", ["'input' is given twice"]),
    "dtype name": (lambda: px.zeros(1, dtype="float31"), px.errors.ValueError, "E0103", ["float31"]),
    "bits of floats": (lambda: x & x, px.DTypeError, "E0301", ["float32", "integers"]),
    "integer overflow": (lambda: px.tensor(300, dtype=px.uint8), px.DTypeError, "E0303", ["uint8"]),
    "in place kind": (lambda: px.ones(2, dtype=px.int64).add_(1.5), px.DTypeError, "E0302", ["int64"]),
    "device": (lambda: px.device("tpu"), px.DeviceError, "E0402", ["tpu"]),
    "item": (lambda: x.item(), px.errors.ValueError, "E0101", ["12 elements"]),
    "truth": (lambda: bool(x), px.errors.ValueError, "E0101", ["ambiguous", "x.any() or x.all()"]),
    "ragged": (lambda: px.tensor([[1], [1, 2]]), px.errors.ValueError, "E0101", ["different lengths"]),
    "no gradient": (lambda: px.ones(1).backward(), px.GradientError, "E0604", ["backward"]),
    "not scalar": (lambda: (leaf * 2).backward(), px.GradientError, "E0605", ["2"]),
    "leaf in place": (lambda: leaf.add_(1), px.GradientError, "E0603", ["add"]),
    "integer leaf": (lambda: px.tensor([1]).requires_grad_(), px.GradientError, "E0606", ["int64"]),
    "numpy": (lambda: leaf.numpy(), px.GradientError, "E0606", ["x.detach().numpy()", "f32[2] cpu"]),
    "gradient shape": (
        lambda: setattr(leaf, "grad", px.ones(3)),
        px.GradientError,
        "E0608",
        ["f32[3]", "f32[2]"],
    ),
    "cuda": (lambda: px.zeros(1, device="cuda:7"), px.DeviceError, "E0402", ["cuda:7"]),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name):
    function, kind, code, parts = GOLDEN[name]
    with pytest.raises(kind) as error:
        function()
    text = str(error.value)
    assert error.value.code == code, text
    assert text.startswith(f"[{code}] "), text
    for part in parts:
        assert part in text, text
    place = [line for line in text.split("\n") if line.startswith("  at ")]
    assert len(place) == 1 and "test_errors.py:" in place[0], text


def test_whole_text():
    text = text_of(lambda: x @ w)  # the line
    lines = text.split("\n")
    assert lines[0] == "[E0203] matmul: inner sizes differ, 4 and 3"
    assert any(line.split()[1:] == ["f32[3,4]", "cpu"] for line in lines[1:3])
    place = next(line for line in lines if line.startswith("  at"))
    assert place.endswith("text = text_of(lambda: x @ w)  # the line")
    assert lines[-1].startswith("  try "), "the cure comes last"


def test_line_of_the_caller_not_of_phlox():
    """Errors inside of Phlox's own Python code name the line that called it."""

    class Twice(px.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            return a @ a

    text = text_of(lambda: Twice.apply(x))
    assert "return a @ a" in text
    text = text_of(lambda: px.autograd.grad(px.ones(1), [x]))
    assert "px.autograd.grad(px.ones(1), [x])" in text


@pytest.mark.parametrize(
    ("name", "built_in"),
    [
        ("ShapeError", ValueError),
        ("DTypeError", TypeError),
        ("DeviceError", RuntimeError),
        ("IndexError", IndexError),
        ("ValueError", ValueError),
        ("TypeError", TypeError),
        ("GradientError", RuntimeError),
        ("StateError", RuntimeError),
        ("FormatError", ValueError),
        ("FileError", OSError),
        ("OutOfMemoryError", MemoryError),
        ("NotSupportedError", NotImplementedError),
    ],
)
def test_classes(name, built_in):
    cls = getattr(px.errors, name)
    assert issubclass(cls, px.PhloxError) and issubclass(cls, built_in)
    assert cls.__module__ == "phlox.errors" and cls.__doc__
    import pickle

    assert type(pickle.loads(pickle.dumps(cls("text")))) is cls


def test_catalog():
    catalog = px.errors.catalog()
    assert catalog["E0203"] == ("inner_sizes_differ", "Inner sizes of a product differ")
    assert len(catalog) > 40


def test_out_of_memory_leaves_the_process_well():
    before = px.memory.statistics()
    px.memory.set_limit(before["allocated_bytes"] + before["cached_bytes"] + (1 << 20))
    try:
        text = text_of(lambda: px.zeros(1 << 22))
    finally:
        px.memory.set_limit(0)
    assert text.startswith("[E0403]")
    assert px.zeros(1 << 22).sum().item() == 0


def test_source_that_is_not_there():
    """Code without a file still gives an error with its place."""
    with pytest.raises(px.ShapeError) as error:
        exec(compile("import phlox as px\npx.ones(2) + px.ones(3)", "<made up>", "exec"))
    assert "<made up>:2" in str(error.value)
