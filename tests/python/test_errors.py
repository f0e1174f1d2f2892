"""The texts of errors: what was expected, both sides, the line of the program, a cure."""

import re

import pytest

import phlox as px


def text_of(function):
    with pytest.raises(px.PhloxError) as error:
        function()
    return str(error.value)


x = px.ones(3, 4)
w = px.ones(3, 4)


def test_whole_text():
    text = text_of(lambda: x @ w)  # the line
    lines = text.split("\n")
    assert lines[0] == "[E0203] matmul: inner sizes differ, 4 and 3"
    assert re.fullmatch(
        r"  lhs  x  f32\[3,4\] cpu   test_errors.py:\d+   text = text_of\(lambda: x @ w\)  # the line",
        lines[1],
    )
    assert lines[2:] == ["  rhs  w  f32[3,4] cpu", "  try  x @ w.T, which gives f32[3,3]"], (
        "the cure comes last"
    )


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
        ("FileNotFoundError", FileNotFoundError),
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
    px.memory.empty_cache()  # blocks that other tests left would serve it
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
