"""Operations that are added: from C++ through the C ABI, and from Python functions."""

# shard: graph

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import phlox as px
from phlox import extension

SOURCE = Path(__file__).parents[1] / "data" / "extensions" / "operations.cc"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("extensions")


@pytest.fixture(scope="module")
def ours(folder):
    return extension.load(SOURCE, build_directory=folder)


def example(*shape, seed=0):
    return px.from_numpy(np.random.default_rng(seed).normal(size=shape))


CALLS = {
    "softlog": lambda o, x: o.softlog(x, scale=2.0),
    "rms": lambda o, x: o.rms(x),
    "windowed_sum": lambda o, x: o.windowed_sum(x.reshape(-1), 2),
    "plus_minus": lambda o, x: px.stack(o.plus_minus(x, x * x)),
    "smaller_and_larger": lambda o, x: px.stack(o.smaller_and_larger(x, x.flip(0))),
}
REFERENCES = {
    "softlog": lambda x: np.sign(x) * np.log1p(2 * np.abs(x)),
    "rms": lambda x: np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6),
    "windowed_sum": lambda x: x.ravel()[1:] + x.ravel()[:-1],
    "plus_minus": lambda x: np.stack([x + x * x, x - x * x]),
    "smaller_and_larger": lambda x: np.stack([np.minimum(x, x[::-1]), np.maximum(x, x[::-1])]),
}


def test_what_it_has(ours):
    assert list(ours) == [
        "softlog",
        "rms",
        "windowed_sum",
        "plus_minus",
        "row_sums",
        "smaller_and_larger",
    ]
    assert "scale=1.0" in repr(ours.softlog) and ours.softlog.__doc__.startswith("Logarithm with a sign")
    with pytest.raises(AttributeError, match="no operation 'nothing'; it has softlog, rms"):
        _ = ours.nothing


@pytest.mark.parametrize("name", CALLS)
def test_values_and_captures(ours, name):
    x = example(4, 3)

    def function(x):
        return CALLS[name](ours, x)

    expected = function(x)
    np.testing.assert_allclose(expected.numpy(), REFERENCES[name](x.numpy()), rtol=1e-12)
    traced = px.trace(function, x)
    assert px.equal(traced(x), expected)
    assert px.equal(px.jit(function)(x), expected)
    again = px.Graph.parse(str(traced.graph), traced.graph.constants)
    assert str(again) == str(traced.graph)
    assert px.equal(again.run([x])[0], expected)
    batch = example(5, 4, 3, seed=1)
    each = px.stack([function(sample) for sample in batch])
    np.testing.assert_allclose(px.vmap(function)(batch).numpy(), each.numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", CALLS)
def test_gradients(ours, name):
    x = example(4, 3, seed=2).requires_grad_()

    def function(x):
        return CALLS[name](ours, x).square()

    assert px.autograd.gradcheck(function, (x,))
    assert px.autograd.gradcheck(px.func.grad(lambda x: function(x).sum()), (x,))
    expected = px.autograd.grad(function(x).sum(), [x])[0]
    step = px.jit(lambda x: px.autograd.grad(function(x).sum(), [x])[0])
    assert px.equal(step(x), expected)


def test_dtypes_and_errors(ours):
    assert ours.softlog(px.ones(2, dtype=px.bfloat16)).dtype == px.bfloat16
    assert ours.softlog(px.tensor([1, 2])).dtype == px.float32
    assert ours.row_sums(px.tensor([[1, 2], [3, 4]])).tolist() == [3, 7]
    assert ours.row_sums(px.ones(0, 3)).shape == (0,) and ours.row_sums(px.ones(2, 0)).tolist() == [0, 0]
    assert ours.row_sums(px.arange(6.0).reshape(2, 3).T).tolist() == [3, 5, 7]
    with pytest.raises(px.errors.StateError, match="E0109.*row_sums: a number has no rows"):
        ours.row_sums(px.tensor(1.0))
    with pytest.raises(px.errors.StateError, match="windowed_sum: it takes f32 and f64"):
        ours.windowed_sum(px.tensor([1, 2, 3]))
    with pytest.raises(px.errors.ShapeError, match="windowed_sum: a result of shape"):
        ours.windowed_sum(px.ones(2), 5)
    with pytest.raises(TypeError, match="windowed_sum: the argument 'input' is missing"):
        ours.windowed_sum()
    with pytest.raises(px.errors.GradientError):
        ours.row_sums(px.ones(2, 2, requires_grad=True)).sum().backward()


def test_nothing_is_compiled_twice(folder, ours):
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert list(extension.load([SOURCE], build_directory=folder)) == list(ours)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def pointwise(body):
    return (
        "#include <phlox/extension/extension.h>\nusing namespace phlox::extension;\n"
        "struct Changing : Unary<> { static constexpr auto body(auto x) { return " + body + "; } };\n"
        'PHLOX_EXTENSION_POINTWISE(changing, Changing, "(Tensor input)", "It changes.")\n'
    )


def test_an_edited_source_is_the_new_operation(folder, tmp_path):
    source, x = tmp_path / "changing.cc", px.tensor([3.0])
    source.write_text(pointwise("x * x"))
    first = extension.load(source, build_directory=folder)
    source.write_text(pointwise("x + x"))
    second = extension.load(source, build_directory=folder)
    assert second.changing(x).item() == 6 and first.changing(x).item() == 9


def test_what_cannot_be_loaded(folder, tmp_path):
    broken = tmp_path / "broken.cc"
    broken.write_text("int main( {")
    with pytest.raises(px.errors.StateError, match="E0109.*the compiler refuses it: .*broken.cc:1"):
        extension.load(broken, build_directory=folder)
    empty = tmp_path / "empty.cc"
    empty.write_text("int nothing;")
    with pytest.raises(px.errors.StateError, match="it has no function phlox_extension"):
        extension.load(empty, build_directory=folder)
    taken = tmp_path / "taken.cc"
    taken.write_text(pointwise("x").replace("changing", "relu"))
    with pytest.raises(px.errors.StateError, match="the library has an operation of this name"):
        extension.load(taken, build_directory=folder)
    signature = tmp_path / "signature.cc"
    signature.write_text(pointwise("x").replace("(Tensor input)", "(Tensor input, list dims)"))
    with pytest.raises(px.errors.StateError, match="does not begin with Tensor, int, float, bool or str"):
        extension.load(signature, build_directory=folder)
    with pytest.raises(px.errors.FileError, match="there is no file missing.cc"):
        extension.load(tmp_path / "missing.cc")
    (tmp_path / "kernel.cu").write_text("")
    with pytest.raises(px.errors.NotSupportedError, match="CUDA"):
        extension.load(tmp_path / "kernel.cu")
    with pytest.raises(px.errors.StateError, match="cannot be loaded"):
        extension.load_library(broken)


# --- operations in Python


@extension.operation("(Tensor input, int width = 3)")
def python_windowed_sum(input, width):
    """Sums of neighbours."""
    return px.from_numpy(np.convolve(input.numpy(), np.ones(width, input.numpy().dtype), "valid"))


@python_windowed_sum.types
def _(input, width):
    return input.dtype, (input.shape[0] - width + 1,)


@python_windowed_sum.gradient
def _(input, result, gradient, width):
    return python_windowed_sum(px.nn.functional.pad(gradient, (width - 1, width - 1)), width)


def test_an_operation_in_python():
    x = example(6, seed=3).requires_grad_()

    def function(x):
        return python_windowed_sum(x, 2).tanh()

    np.testing.assert_allclose(
        function(x).detach().numpy(), np.tanh(x.detach().numpy()[1:] + x.detach().numpy()[:-1])
    )
    assert px.autograd.gradcheck(function, (x,))
    assert px.autograd.gradcheck(px.func.grad(lambda x: function(x).sum()), (x,))
    assert px.equal(px.jit(function)(x), function(x))
    batch = example(4, 6, seed=4)
    assert px.equal(px.vmap(function)(batch), px.stack([function(row) for row in batch]))
    assert "python_windowed_sum(input, width=3)" in repr(python_windowed_sum)


def test_two_results_and_none_as_gradient():
    @extension.operation("(Tensor input, Tensor other, float scale = 1.0)", results=2, batched=True)
    def both_scaled(input, other, scale):
        return input * scale, other * scale

    @both_scaled.gradient
    def _(input, other, first, second, of_first, of_second, scale):
        return of_first * scale, None

    a, b = px.ones(3, requires_grad=True), px.ones(3, requires_grad=True)
    first, second = both_scaled(a, b, 2.0)
    (first.sum() + second.sum()).backward()
    assert a.grad.tolist() == [2, 2, 2] and (b.grad is None or b.grad.tolist() == [0, 0, 0])
    assert px.vmap(lambda a, b: both_scaled(a, b)[1])(px.ones(2, 3), px.zeros(2, 3)).tolist() == [[0] * 3] * 2


def test_mistakes_in_python():
    @extension.operation("(Tensor input)")
    def forgetful(input):
        return input.sum()

    with pytest.raises(TypeError, match="forgetful: the function gives another type than it says"):
        forgetful(px.ones(3))

    @extension.operation("(Tensor input)")
    def failing(input):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        failing(px.ones(3))
    with pytest.raises(KeyError, match="mine"):
        px.jit(lambda x: failing(x) + 1)(px.ones(3))
    for signature, message in (
        ("Tensor input", "has no brackets"),
        ("(int width, Tensor input)", "takes tensors first"),
        ("(Tensor input, int width = x)", "is no default value"),
        ("(Tensor input, int a = 1, int b)", "has no default value, but"),
    ):
        with pytest.raises(ValueError, match=message):
            extension.operation(signature)(lambda_named("mistaken"))
    with pytest.raises(ValueError, match="the library has an operation of this name"):
        extension.operation("(Tensor input)")(lambda_named("relu"))


def lambda_named(name):
    def function(input):
        return input

    function.__name__ = name
    return function


def test_a_graph_needs_its_kernel(tmp_path):
    graph = 'graph(%x: f32[3]) {\n  %0: f32[3] = custom(%x, kernel="not_there", numbers=[])\n  return %0\n}\n'
    with pytest.raises(px.GraphError, match="there is no kernel 'not_there': load the extension"):
        px.Graph.parse(graph)


def test_the_header_alone_is_enough(tmp_path):
    """The C ABI is C: a header that C compilers read."""
    (tmp_path / "abi.c").write_text("#include <phlox/extension/c_abi.h>\nint version = PHLOX_ABI_VERSION;\n")
    command = [
        "cc",
        "-std=c99",
        "-Wall",
        "-Werror",
        "-pedantic",
        "-c",
        "abi.c",
        f"-I{extension.include_path()}",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_another_process_finds_it_compiled(folder, ours):
    program = (
        f"import phlox as px\nours = px.extension.load({str(SOURCE)!r}, build_directory={str(folder)!r})\n"
        "print(ours.rms(px.ones(2)).item())"
    )
    environment = {"PYTHONPATH": str(Path(px.__file__).parents[1]), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and done.stdout.startswith("1.0"), done.stderr
