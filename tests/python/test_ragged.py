"""Ragged tensors against loops over their rows, their gradients, and how they go through captured functions."""

# shard: tensors
import copy
import doctest
import pickle
import re
from pathlib import Path

import numpy as np
import phlox.nn.functional as F  # noqa: N812
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import phlox as px
from phlox import nested, ragged

LENGTHS = [3, 0, 1, 4]


def rows_of(seed, lengths=LENGTHS, *sizes):
    random = np.random.default_rng(seed)
    return [random.normal(size=(n, *sizes)) for n in lengths]


def made(rows):
    return nested.nested_tensor([px.from_numpy(row) for row in rows])


def assert_rows(result, expected):
    assert isinstance(result, ragged.RaggedTensor) and len(result) == len(expected)
    for row, other in zip(result.unbind(), expected):
        np.testing.assert_allclose(row.detach().numpy(), other, rtol=1e-12, atol=1e-12)


def assert_dense(result, expected):
    np.testing.assert_allclose(result.detach().numpy(), expected, rtol=1e-12, atol=1e-12)


def test_rows_and_parts():
    rows = rows_of(1, LENGTHS, 2)
    x = made(rows)
    assert_rows(x, rows)
    assert x.offsets().tolist() == ragged.row_splits(x).tolist() == [0, 3, 3, 4, 8]
    assert x.lengths().tolist() == LENGTHS and x.row_numbers().tolist() == [0, 0, 0, 2, 3, 3, 3, 3]
    assert (len(x), x.ndim, x.dim(), x.dtype, x.is_nested) == (4, 3, 3, px.float64, True)
    assert_dense(x[0], rows[0])
    assert_dense(x[-1], rows[-1])
    assert_rows(x[1:3], rows[1:3])
    assert_rows(x[::-1], rows[::-1])
    assert len(x[4:]) == 0
    assert [row.tolist() for row in x] == x.tolist()
    assert_rows(nested.nested_from_jagged(x.values(), x.offsets()), rows)
    assert_rows(nested.nested_tensor_from_jagged(x.values(), lengths=px.tensor(LENGTHS)), rows)
    assert nested.as_nested_tensor(x) is x and nested.as_nested_tensor(x, px.float32).dtype is px.float32
    with pytest.raises(IndexError, match="there is no row 4"):
        x[4]
    with pytest.raises(ValueError, match="either offsets or lengths"):
        nested.nested_from_jagged(x.values())
    with pytest.raises(ValueError, match="there is no row"):
        nested.nested_tensor([])


def test_padding():
    rows = rows_of(2, LENGTHS, 2)
    x = made(rows)
    expected = np.full((4, 4, 2), 7.0)
    for i, row in enumerate(rows):
        expected[i, : len(row)] = row
    assert_dense(nested.to_padded_tensor(x, 7.0), expected)
    assert_dense(x.to_padded_tensor(7.0, 2), expected[:, :2])
    assert x.to_padded_tensor(0.0, 6).shape == nested.to_padded_tensor(x, 0.0, (4, 6, 2)).shape == (4, 6, 2)
    assert_rows(ragged.from_padded(px.from_numpy(expected), LENGTHS), rows)
    assert made(rows_of(3, [0, 0])).to_padded_tensor(1.0, 2).tolist() == [[1, 1], [1, 1]]
    with pytest.raises(IndexError):
        ragged.from_padded(px.ones(2, 3), [1, 4])
    with pytest.raises(ValueError, match="the size is -1"):
        x.to_padded_tensor(0.0, -1)


def test_arithmetic():
    a, b = rows_of(4, LENGTHS, 2), rows_of(5, LENGTHS, 2)
    x, y = made(a), made(b)
    scale, for_rows = px.tensor([2.0, 3.0], dtype=px.float64), px.from_numpy(np.arange(8.0).reshape(4, 1, 2))
    assert_rows(x + y, [r + s for r, s in zip(a, b)])
    assert_rows(x - y, [r - s for r, s in zip(a, b)])
    assert_rows(x * y / 2, [r * s / 2 for r, s in zip(a, b)])
    assert_rows(1 - x, [1 - r for r in a])
    assert_rows(-x * scale, [-r * scale.numpy() for r in a])
    assert_rows(scale * x, [r * scale.numpy() for r in a])
    assert_rows(x + for_rows, [r + s for r, s in zip(a, for_rows.numpy())])
    assert_rows(for_rows - x, [s - r for r, s in zip(a, for_rows.numpy())])
    assert_rows(x @ px.eye(2, dtype=px.float64), a)
    assert_rows(ragged.map_flat_values(px.maximum, x, other=y), [np.maximum(r, s) for r, s in zip(a, b)])
    assert_rows(
        ragged.map_flat_values(F.layer_norm, x, [2]), [F.layer_norm(px.from_numpy(r), [2]).numpy() for r in a]
    )
    with pytest.raises(ValueError, match="the lengths of rows differ"):
        x + made(b[::-1])
    with pytest.raises(px.ShapeError, match="add: rows differ"):
        x + made(b[:2])
    with pytest.raises(px.ShapeError, match="a tensor for each row"):
        x + px.ones(3, 1, 2, dtype=px.float64)
    with pytest.raises(TypeError, match="no argument is a RaggedTensor"):
        ragged.map_flat_values(px.sin, px.ones(2))
    with pytest.raises(TypeError):
        x + "text"


def test_reductions():
    rows = rows_of(6, LENGTHS, 3)
    x = made(rows)
    assert_dense(x.sum(1), [r.sum(0) for r in rows])
    assert_dense(x.mean(1)[[0, 2, 3]], [rows[i].mean(0) for i in (0, 2, 3)])
    assert x.mean(1)[1].isnan().all()
    assert_dense(x.amax(1), [r.max(0, initial=-np.inf) for r in rows])
    assert_dense(x.amin(1), [r.min(0, initial=np.inf) for r in rows])
    assert_rows(x.sum(2), [r.sum(1) for r in rows])
    assert_rows(x.mean(-1), [r.mean(1) for r in rows])
    powers = [np.exp(r) / np.exp(r).sum(0) for r in rows]
    assert_rows(x.softmax(1), powers)
    assert_rows(x.log_softmax(1), [np.log(p) for p in powers])
    assert_rows(x.softmax(2), [np.exp(r) / np.exp(r).sum(1, keepdims=True) for r in rows])
    with pytest.raises(px.ShapeError, match="no common elements"):
        x.sum(0)


def test_joining():
    a, b = rows_of(7), rows_of(8, [1, 2, 0, 3])
    assert_rows(ragged.concat([made(a), made(b)]), a + b)
    assert_rows(ragged.concat([made(a), made(b)], axis=1), [np.concatenate(p) for p in zip(a, b)])
    mask = np.random.default_rng(9).random((3, 5)) < 0.5
    data = np.random.default_rng(10).normal(size=(3, 5, 2))
    assert_rows(
        ragged.boolean_mask(px.from_numpy(data), px.from_numpy(mask)), [d[m] for d, m in zip(data, mask)]
    )
    with pytest.raises(px.ShapeError, match="the dimension is 0 or 1"):
        ragged.concat([made(a)], axis=2)
    with pytest.raises(px.DTypeError, match="a mask is bool"):
        ragged.boolean_mask(px.ones(2, 2), px.ones(2, 2))


@pytest.mark.parametrize("causal", [False, True])
def test_attention_within_rows(causal):
    q, k, v = (rows_of(seed, [3, 1, 4], 2, 5) for seed in (11, 12, 13))

    def of_row(*parts):
        heads = (px.from_numpy(part).transpose(0, 1) for part in parts)
        return F.scaled_dot_product_attention(*heads, is_causal=causal).transpose(0, 1).numpy()

    result = ragged.attention(made(q), made(k), made(v), is_causal=causal)
    assert_rows(result, [of_row(*parts) for parts in zip(q, k, v)])
    other = ragged.attention(made(rows_of(14, [2, 2, 1], 2, 5)), made(k), made(v))
    assert other.lengths().tolist() == [2, 2, 1]
    with pytest.raises(px.ShapeError, match="attention: takes query, key and value"):
        ragged.attention(made(rows_of(15)), made(k), made(v))


@pytest.mark.parametrize(
    "function",
    [
        lambda x, w: (x @ w).softmax(1).values(),
        lambda x, w: (x @ w).sum(1) + x.mean(1)[[0, 2]].sum(),
        lambda x, w: x.amax(1)[[0, 2, 3]] * w.sum(),
        lambda x, w: (x * x + w[0, :2]).to_padded_tensor(0.0),
        lambda x, w: ragged.concat([x, x * w[0, :2]], axis=1).values(),
        lambda x, w: x[3] @ w,
        lambda x, w: x.log_softmax(1).values() @ w,
    ],
)
def test_gradients(function):
    values = px.randn(8, 2, dtype=px.float64, requires_grad=True)
    weight = px.randn(2, 3, dtype=px.float64, requires_grad=True)
    offsets = px.tensor([0, 3, 3, 4, 8])
    assert px.autograd.gradcheck(
        lambda values, weight: function(nested.nested_from_jagged(values, offsets), weight), (values, weight)
    )


def test_gradients_arrive_at_the_values():
    x = nested.nested_tensor([[1.0, 2.0], [3.0]], requires_grad=True)
    (x * x).sum(1).sum().backward()
    assert x.requires_grad and x.values().grad.tolist() == [2, 4, 6]
    row = px.ones(2, requires_grad=True)
    nested.as_nested_tensor([row, px.ones(1)]).sum(1).sum().backward()
    assert row.grad.tolist() == [1, 1] and not x.detach().requires_grad


def test_captured_functions():
    @px.jit
    def function(x, weight):
        hidden = x @ weight
        return hidden.softmax(1), hidden.sum(1), hidden.to_padded_tensor(0.0, 4)

    weight = px.from_numpy(np.random.default_rng(16).normal(size=(2, 3)))
    for lengths in ([3, 0, 1, 4], [1, 4, 2, 1], [2, 2]):
        rows = rows_of(17, lengths, 2)
        weights, sums, padded = function(made(rows), weight)
        hidden = made(rows) @ weight
        assert_rows(weights, [r.numpy() for r in hidden.softmax(1)])
        assert_dense(sums, hidden.sum(1).numpy())
        assert_dense(padded, hidden.to_padded_tensor(0.0, 4).numpy())
    for refused in (
        lambda x: (x * 2)[0],
        lambda x: (x * 2).to_padded_tensor(0.0),
        lambda x: (x * 2).unbind(),
    ):
        computed = px.jit(lambda v, o, f=refused: f(nested.nested_from_jagged(v, o + 0)))
        with pytest.raises(px.GraphError, match="lengths of rows are not known"):
            computed(px.ones(3), px.tensor([0, 1, 3]))

    checked = px.jit(lambda v, o: nested.nested_from_jagged(v, o).sum(1))
    assert checked(px.ones(3), px.tensor([0, 1, 3])).tolist() == [1, 2]
    with pytest.raises(ValueError, match="offsets must begin with 0"):
        checked(px.ones(3), px.tensor([0, 1, 2]))


def test_transforms_and_copies():
    x = nested.nested_tensor([[1.0, 2.0], [3.0]])
    assert px.func.grad(lambda x: (x * x).sum(1).sum())(x).tolist() == [[2.0, 4.0], [6.0]]
    for other in (copy.deepcopy(x), pickle.loads(pickle.dumps(x)), copy.copy(x)):
        assert other.tolist() == x.tolist()
    result = px.vmap(lambda scale: (x * scale).sum(1))(px.tensor([1.0, 2.0]))
    assert result.tolist() == [[3, 3], [6, 6]]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(-2, 5), max_size=6), st.integers(0, 5))
def test_any_offsets_are_right_or_refused(offsets, count):
    values = px.arange(float(count))
    try:
        x = nested.nested_from_jagged(values, px.tensor(offsets, dtype=px.int64))
    except px.PhloxError:
        assert offsets != sorted(offsets) or not offsets or offsets[0] != 0 or offsets[-1] != count
        return
    assert x.tolist() == [values[a:b].tolist() for a, b in zip(offsets, offsets[1:])]


def test_the_programs_of_the_page():
    page = (Path(__file__).parents[2] / "docs" / "sparse-and-ragged.md").read_text()
    page = page[page.index("## Ragged tensors") :]
    printed, expected = [], []
    space = {"print": lambda *values: printed.append(" ".join(map(str, values)))}
    for program in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(program, "sparse-and-ragged.md", "exec"), space)
        expected += re.findall(r"^print\(.*\) +# (.*)$", program, re.MULTILINE)
    assert printed == expected and len(printed) > 2


EXAMPLES = [
    (module, name)
    for module in (ragged, nested)
    for name, function in vars(module).items()
    if ">>>" in (getattr(function, "__doc__", None) or "")
]


@pytest.mark.parametrize(("module", "name"), EXAMPLES)
def test_examples(module, name):
    runner = doctest.DocTestRunner()
    for example in doctest.DocTestFinder().find(getattr(module, name), name, globs={"px": px}):
        runner.run(example)
    assert runner.summarize(verbose=False).failed == 0
