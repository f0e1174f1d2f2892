"""px.Tensor as a Python object: making, attributes, operators, printing, copying, pickling."""

import copy
import gc
import inspect
import math
import operator
import pickle
import subprocess
import sys
import weakref

import numpy as np
import pytest

import phlox as px

# --- making


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1.5, px.float32, ()),
        (3, px.int64, ()),
        (True, px.bool, ()),
        (1 + 2j, px.complex64, ()),
        ([], px.float32, (0,)),
        ([[], []], px.float32, (2, 0)),
        ([1, 2.5], px.float32, (2,)),
        ([True, 2], px.int64, (2,)),
        (((1, 2), (3, 4)), px.int64, (2, 2)),
        (range(3), px.int64, (3,)),
        (np.float64(2), px.float64, ()),
        (np.arange(3.0), px.float64, (3,)),
        (np.float32(1.5), px.float32, ()),
        ([np.float32(1), 2], px.float32, (2,)),
        ([np.int32(1), np.int32(2)], px.int32, (2,)),
        ([np.int32(1), np.int64(2)], px.int64, (2,)),
        ([np.int32(1), 2.5], px.float32, (2,)),
        ([1.5, np.float64(2)], px.float64, (2,)),
        ([np.bool_(True)], px.bool, (1,)),
        ([px.tensor(1, dtype=px.int16), 2], px.int16, (2,)),
        ([1.5, 2.5], px.float32, (2,)),
    ],
)
def test_tensor_of_data(data, dtype, shape):
    made = px.tensor(data)
    assert made.dtype is dtype
    assert made.shape == shape
    assert isinstance(made.shape, px.Size)


def test_tensor_of_tensors_and_arrays():
    assert px.tensor([px.tensor(1.0), px.tensor(2.0)]).tolist() == [1.0, 2.0]
    assert px.tensor([px.tensor([1, 2]), px.tensor([3, 4])]).tolist() == [[1, 2], [3, 4]]
    assert px.tensor([np.array([1, 2]), np.array([3, 4])]).tolist() == [[1, 2], [3, 4]]
    x = px.tensor([1.0])
    assert px.as_tensor(x) is x
    assert px.tensor(x) is not x


def test_tensor_takes_dtype_and_requires_grad():
    x = px.tensor([1, 2], dtype=px.float64, requires_grad=True)
    assert x.dtype is px.float64 and x.requires_grad and x.is_leaf
    for name in ("float64", float, np.float64, np.dtype("float64")):
        assert px.tensor([1], dtype=name).dtype is px.float64
    with pytest.raises(TypeError):
        px.tensor([1], dtype=5)


def test_default_dtype():
    px.set_default_dtype(px.float64)
    assert px.tensor(1.0).dtype is px.float64
    assert px.tensor(1j).dtype is px.complex128


def test_ragged_data_are_an_error():
    for data in ([[1, 2], [3]], [1, [2]], [[1], 2], ["a"], [None]):
        with pytest.raises((ValueError, TypeError)):
            px.tensor(data)


def test_sizes_without_brackets():
    assert px.zeros(2, 3).shape == px.zeros((2, 3)).shape == px.zeros([2, 3]).shape == (2, 3)
    assert px.zeros(2).shape == (2,)
    x = px.arange(6)
    assert x.reshape(2, 3).shape == x.reshape((2, 3)).shape == x.view(2, -1).shape == (2, 3)
    assert x.reshape(1, 2, 3).permute(2, 0, 1).shape == (3, 1, 2)
    assert px.ones(2, 2, dtype=px.float64, requires_grad=True).requires_grad


# --- attributes


def test_shape_is_a_size():
    shape = px.zeros(2, 3, 4).shape
    assert isinstance(shape, tuple) and shape == (2, 3, 4) and shape.numel() == 24 and shape[-1] == 4
    assert (
        px.zeros(2, 3).size() == (2, 3) and px.zeros(2, 3).size(-1) == 3 and px.zeros(2, 3).size(dim=0) == 2
    )
    assert px.zeros(2, 3).stride() == (3, 1) and px.zeros(2, 3).stride(0) == 3
    with pytest.raises(ValueError):
        px.zeros(2).size(1)


def test_numbers_about_a_tensor():
    x = px.zeros(2, 3, dtype=px.float64)
    assert (x.ndim, x.dim(), x.numel(), x.nbytes, x.element_size(), x.itemsize) == (2, 2, 6, 48, 8, 8)
    assert x.is_contiguous() and not x.T.is_contiguous()
    assert str(x.device) == "cpu" and x.device == px.device("cpu") == "cpu" and x.is_cpu and not x.is_cuda
    assert x.is_floating_point() and not x.is_complex()
    assert x.T.shape == x.mT.shape == (3, 2)
    assert px.zeros(2, 3, 4).T.shape == (4, 3, 2) and px.zeros(2, 3, 4).mT.shape == (2, 4, 3)


def test_one_object_for_a_tensor():
    x = px.tensor([1.0], requires_grad=True)
    x.tag = "kept"
    (x * 2).sum().backward()
    assert x.grad is x.grad
    assert x.relu_ and x.requires_grad_() is x and x.tag == "kept"
    reference = weakref.ref(x)
    del x
    assert reference() is None


def test_cycles_through_attributes_are_collected():
    x = px.zeros(1)
    x.self = x
    reference = weakref.ref(x)
    del x
    gc.collect()
    assert reference() is None


def test_subclass():
    class Parameter(px.Tensor):
        def __new__(cls, data, requires_grad=True):
            self = super().__new__(cls, data)
            self.requires_grad_(requires_grad)
            return self

        def double_sum(self):
            return 2 * self.sum()

    p = Parameter(px.ones(2, 2))
    assert isinstance(p, px.Tensor) and p.requires_grad and p.is_leaf and p.double_sum().item() == 8
    assert type(p + 1) is px.Tensor
    p.note = 1
    again = copy.deepcopy(p)
    assert type(again) is Parameter and again.note == 1 and again.requires_grad and again is not p


def test_assigning_data_keeps_the_object():
    x = px.zeros(3)
    alias = x
    x.data = px.ones(2, 2)
    assert alias.shape == (2, 2) and alias.sum().item() == 4
    x.data.add_(1)
    assert x.sum().item() == 8


# --- operators


@pytest.mark.parametrize(
    "name", ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "eq", "ne", "lt", "le", "gt", "ge"]
)
def test_binary_operators(name):
    function = getattr(operator, name)
    a, b = np.array([[1.0, -2.0], [3.5, 4.0]]), np.array([2.0, 3.0])
    x, y = px.tensor(a), px.tensor(b)
    for left, right, expected in [
        (x, y, function(a, b)),
        (x, 2, function(a, 2)),
        (x, 2.5, function(a, 2.5)),
        (np.float64(2.5), y, function(2.5, b)),
        (3, y, function(3.0, b)),
        (a, y, function(a, b)),
        (x, b, function(a, b)),
    ]:
        with np.errstate(all="ignore"):
            result = function(left, right)
        assert isinstance(result, px.Tensor)
        np.testing.assert_allclose(result.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["and_", "or_", "xor", "lshift", "rshift"])
def test_bit_operators(name):
    function = getattr(operator, name)
    a, b = np.array([5, 12, 7]), np.array([1, 2, 3])
    np.testing.assert_array_equal(function(px.tensor(a), px.tensor(b)).numpy(), function(a, b))
    np.testing.assert_array_equal(function(6, px.tensor(b)).numpy(), function(6, b))


def test_unary_operators():
    a = np.array([1.0, -2.0])
    np.testing.assert_array_equal((-px.tensor(a)).numpy(), -a)
    np.testing.assert_array_equal(abs(px.tensor(a)).numpy(), abs(a))
    np.testing.assert_array_equal((+px.tensor(a)).numpy(), a)
    assert (~px.tensor([True, False])).tolist() == [False, True]
    assert (~px.tensor([1, -5])).tolist() == [-2, 4]


def test_matmul_operator():
    a, b = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
    np.testing.assert_allclose((px.tensor(a) @ px.tensor(b)).numpy(), a @ b)
    np.testing.assert_allclose((px.tensor(a) @ b).numpy(), a @ b)
    np.testing.assert_allclose((a @ px.tensor(b)).numpy(), a @ b)


@pytest.mark.parametrize("name", ["iadd", "isub", "imul", "itruediv", "ipow", "ifloordiv", "imod"])
def test_operators_in_place(name):
    a, b = np.array([5.0, 12.0]), np.array([1.0, 5.0])
    x = px.tensor(a)
    y = getattr(operator, name)(x, px.tensor(b))
    assert y is x
    np.testing.assert_allclose(x.numpy(), getattr(operator, name)(a.copy(), b))


def test_unknown_operands_are_left_to_python():
    x = px.zeros(1)
    for value in ("a", None, object(), [1.0]):
        with pytest.raises(TypeError):
            x + value
        with pytest.raises(TypeError):
            value - x
    assert (x == "a") is False and (x != None) is True  # noqa: E711
    assert x is not None and hash(x) == hash(x) and {x: 1}[x] == 1


def test_numbers_from_tensors():
    x = px.tensor(2.5)
    assert float(x) == 2.5 and int(x) == 2 and bool(x) and complex(x) == 2.5 and x.item() == 2.5
    assert [10, 20, 30][px.tensor(1)] == 20 and list(range(px.tensor(3))) == [0, 1, 2]
    assert f"{x:.3f}" == "2.500" and math.sqrt(px.tensor(4.0)) == 2
    assert px.tensor(2**64 - 1, dtype=px.uint64).item() == 2**64 - 1
    with pytest.raises(ValueError, match="ambiguous"):
        bool(px.zeros(2))
    with pytest.raises(TypeError):
        [1][px.tensor(0.0)]
    with pytest.raises(ValueError):
        px.zeros(2).item()


def test_containers():
    x = px.tensor([[1, 2], [3, 4]])
    assert len(x) == 2 and [row.tolist() for row in x] == [[1, 2], [3, 4]]
    assert 3 in x and 7 not in x and [r.tolist() for r in reversed(x)] == [[3, 4], [1, 2]]
    a, b = x
    assert a.tolist() == [1, 2] and b.tolist() == [3, 4]
    for function in (len, iter):
        with pytest.raises(TypeError):
            function(px.tensor(1))


def test_casts():
    x = px.tensor([0.0, 1.9, -1.9])
    assert x.int().tolist() == [0, 1, -1] and x.bool().tolist() == [False, True, True]
    assert x.to(px.float64).dtype is x.double().dtype is x.to("float64").dtype is px.float64
    assert x.to(px.float32) is x and x.to(px.float32, copy=True) is not x
    assert x.to("cpu") is x and x.to(device="cpu", dtype=px.int64).dtype is px.int64
    assert x.to(px.zeros(1, dtype=px.float16)).dtype is x.half().dtype is px.half
    assert x.bfloat16().type() == "phlox.bfloat16" and x.type(px.int8).dtype is px.int8
    assert x.type_as(px.tensor([1])).dtype is px.int64


def test_names_of_numpy_are_taken_too():
    x = px.arange(6.0).reshape(2, 3)
    assert x.sum(axis=0, keepdims=True).shape == x.sum(dim=0, keepdim=True).shape == (1, 3)
    assert px.sum(input=x).item() == px.sum(x=x).item() == 15


def test_named_results():
    x = px.tensor([[3.0, 1.0, 2.0]])
    values, indices = px.max(x, dim=1)
    assert values.tolist() == [3.0] and indices.tolist() == [0]
    assert x.max(1).indices.tolist() == [0] and x.max().item() == 3 and x.min(1).values.tolist() == [1.0]
    assert px.max(x, px.tensor(2.0)).tolist() == [[3.0, 2.0, 2.0]]
    assert x.sort(dim=1).values.tolist() == [[1.0, 2.0, 3.0]]


# --- text


def test_printing():
    assert repr(px.tensor([1.0, 2.5])) == "tensor([1.0000, 2.5000])"
    assert repr(px.tensor([1, 2])) == str(px.tensor([1, 2])) == "tensor([1, 2])"
    assert "dtype=float64" in repr(px.tensor([1.0], dtype=px.float64))
    assert "requires_grad=True" in repr(px.tensor([1.0], requires_grad=True))
    assert repr(px.float32) == "phlox.float32" and repr(px.device("cpu")) == "device('cpu')"
    assert repr(px.zeros(2, 3).shape) == "(2, 3)"
    before = px._phlox._get_print_options()
    px.set_printoptions(precision=2)
    assert repr(px.tensor([0.333])) == "tensor([0.33])"
    px._phlox._set_print_options(**before)


def test_html():
    assert "<table>" in px.tensor([[1.0, -2.0]])._repr_html_()
    assert "&lt;" not in px.zeros(3, 4, 5)._repr_html_().split("<pre>")[0]
    assert px.tensor([1])._repr_html_()


# --- copies


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "float16", "bfloat16", "int64", "uint8", "bool", "complex64"]
)
def test_pickle(dtype):
    x = px.tensor([[0, 1], [2, 3]]).to(getattr(px, dtype)).T
    x.note = {"a": 1}
    y = pickle.loads(pickle.dumps(x))
    assert y.dtype is x.dtype and y.shape == x.shape and y.note == {"a": 1}
    assert y.tolist() == x.tolist()


def test_pickle_of_the_rest():
    x = px.tensor([1.0], requires_grad=True)
    assert pickle.loads(pickle.dumps(x)).requires_grad
    with pytest.raises(px.GradientError):
        pickle.dumps(x * 2)
    assert pickle.loads(pickle.dumps(px.float16)) is px.float16
    assert pickle.loads(pickle.dumps(px.device("cpu"))) == px.device("cpu")
    assert pickle.loads(pickle.dumps(px.add)) is px.add
    assert copy.deepcopy(px.add) is px.add
    generator = px.Generator().manual_seed(5)
    px.rand(3, generator=generator)
    again = pickle.loads(pickle.dumps(generator))
    assert px.rand(3, generator=again).tolist() == px.rand(3, generator=generator).tolist()


def test_copies():
    x = px.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    deep = copy.deepcopy(x)
    deep.data.zero_()
    assert x.tolist() == [1.0, 2.0] and deep.grad.tolist() == x.grad.tolist() and deep.grad is not x.grad
    shallow = copy.copy(x)
    shallow.data.zero_()
    assert x.tolist() == [0.0, 0.0]
    shared = [x, x]
    first, second = copy.deepcopy(shared)
    assert first is second


# --- the rest of the module


def test_limits():
    assert px.finfo(px.float32).eps == np.finfo(np.float32).eps
    assert (
        px.finfo(px.float16).max == np.finfo(np.float16).max and px.finfo().tiny == np.finfo(np.float32).tiny
    )
    assert px.finfo(px.bfloat16).eps == 2**-7
    for name in ("int8", "uint8", "int64", "uint64"):
        assert (px.iinfo(getattr(px, name)).min, px.iinfo(getattr(px, name)).max) == (
            np.iinfo(name).min,
            np.iinfo(name).max,
        )


def test_promotion():
    assert px.promote_types(px.int32, px.float16) is px.float16
    assert px.result_type(px.zeros(1, dtype=px.int8), 2.5) is px.float32
    assert px.result_type(px.zeros(1, dtype=px.float64), 1) is px.float64
    assert px.result_type(px.int8, px.uint8) is px.int16


def test_random_state():
    px.manual_seed(3)
    a = px.rand(4)
    px.manual_seed(3)
    assert px.rand(4).tolist() == a.tolist()
    state = px.get_rng_state()
    b = px.rand(4)
    px.set_rng_state(state)
    assert px.rand(4).tolist() == b.tolist() != a.tolist()


def test_device_context():
    with px.device("cpu"):
        assert px.zeros(1).device == "cpu"
    with pytest.raises(px.DeviceError):
        px.device("nonsense")
    assert not px.cuda.is_available() or px.cuda.device_count() > 0


def test_memory():
    before = px.memory.statistics()["allocated_bytes"]
    x = px.zeros(1 << 20)
    assert px.memory.statistics()["allocated_bytes"] >= before + x.nbytes
    del x
    assert px.memory.statistics()["allocated_bytes"] == before
    px.memory.empty_cache()


def test_unknown_names_suggest():
    with pytest.raises(AttributeError, match="did you mean px.matmul"):
        px.matmull  # noqa: B018


def test_signatures():
    assert list(inspect.signature(px.sum).parameters)[:3] == ["input", "dim", "keepdim"]
    assert list(inspect.signature(px.Tensor.sum).parameters)[:3] == ["self", "dim", "keepdim"]
    assert px.relu.__doc__ and px.relu.__name__ == "relu" and px.Tensor.relu_.__name__ == "relu_"
    assert px.subtract is px.sub


def test_functions_are_not_bound_as_methods():
    class Model:
        activation = px.relu

    assert Model().activation(px.tensor([-1.0])).tolist() == [0.0]


def test_import_is_quiet_and_leaves_numpy_alone():
    program = "import sys, phlox; assert 'numpy' not in sys.modules"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_overloads_by_what_is_given():
    for arguments in [(0, 10, (3,)), (0, 10, [3]), (10, (3,)), (0, 10, 3)]:
        assert px.randint(*arguments).shape == (3,)
    assert px.randint(10, (2, 3), dtype=px.int32).dtype == px.int32
    with pytest.raises(px.errors.TypeError, match="randint: 'size' must be"):
        px.randint(0, 10, "three")


def test_many_objects_leave_nothing():
    x = px.ones(10)
    for _ in range(3):
        made = [x + 1 for _ in range(1000)]
        del made
    counts = sys.getrefcount(px.Tensor)
    made = [x + 1 for _ in range(1000)]
    del made
    assert abs(sys.getrefcount(px.Tensor) - counts) < 10
