"""Functions that TensorFlow names or calls otherwise than Phlox. All other operations of Phlox are found by their names.

Each is an ordinary function of Phlox tensors. A parameter annotated `Tensor` takes what can be made a tensor.
"""

# ruff: noqa: A001, A002
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import phlox

from .._failure import fail
from .._phlox import Tensor
from ._kinds import FUNCTIONS, Kind, camel_case, function, numbers, registry_kind, values

px: Any = phlox  # whose operations only its stub names

Tensors = Sequence[Tensor]
int32, int64 = px.int32, px.int64

# Names that differ, and nothing else.
_RENAMED = {
    "multiply": "mul",
    "subtract": "sub",
    "divide": "div",
    "truediv": "div",
    "realdiv": "div",
    "floordiv": "floor_divide",
    "floormod": "remainder",
    "mod": "remainder",
    "negative": "neg",
    "equal": "eq",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "is_nan": "isnan",
    "is_inf": "isinf",
    "is_finite": "isfinite",
    "div_no_nan": "divide_no_nan",
    "nn.elu": "elu",
    "nn.swish": "silu",
    "nn.softsign": "softsign",
}


def _rename() -> None:
    for theirs, ours in _RENAMED.items():
        if ours:
            kind = registry_kind(ours)
            assert kind, ours
            name = camel_case(theirs.rpartition(".")[2])
            FUNCTIONS[theirs] = Kind(**{**kind.__dict__, "type": name})


def _ints(value: Any) -> list[int]:
    """Sizes and places as Python's numbers, which must be known when the graph is captured."""
    if isinstance(value, Tensor):
        value = numbers(value)
    if not isinstance(value, (list, tuple)):
        return [int(value)]
    return [n for part in value for n in _ints(part)]


def _int(value: Any) -> int:
    return _ints(value)[0]


def _axes(axis: Any) -> Any:
    return None if axis is None else _ints(axis)


def _floating(x: Tensor) -> bool:
    return x.dtype.is_floating_point or x.dtype.is_complex


# --- reductions


def _reduction(name: str, reduce: Any, type: str) -> None:
    def run(
        input_tensor: Tensor,
        axis: Any = None,
        keepdims: bool = False,
        keep_dims: Any = None,
        reduction_indices: Any = None,
    ) -> Tensor:
        dims = _axes(reduction_indices if axis is None else axis)
        keep = bool(keepdims if keep_dims is None else keep_dims)
        dims = list(range(input_tensor.ndim)) if dims is None else dims
        return reduce(input_tensor, dims, keep) if dims else input_tensor

    run.__doc__ = f"The {name} over `axis`, by default over all dimensions; of the dtype of the input."
    function(f"reduce_{name}", type)(run)


_reduction("sum", lambda x, d, k: x.sum(d, keepdim=k, dtype=None if _floating(x) else x.dtype), "Sum")
_reduction(
    "mean", lambda x, d, k: (x if _floating(x) else x.to(px.float64)).mean(d, keepdim=k).to(x.dtype), "Mean"
)
_reduction("max", lambda x, d, k: px.amax(x, d, keepdim=k), "Max")
_reduction("min", lambda x, d, k: px.amin(x, d, keepdim=k), "Min")
_reduction("any", lambda x, d, k: px.any(x, d, keepdim=k), "Any")
_reduction("all", lambda x, d, k: px.all(x, d, keepdim=k), "All")
_reduction("logsumexp", lambda x, d, k: px.logsumexp(x, d, keepdim=k), "ReduceLogSumExp")
_reduction("variance", lambda x, d, k: px.var(x, d, correction=0, keepdim=k), "Variance")
_reduction("std", lambda x, d, k: px.std(x, d, correction=0, keepdim=k), "Std")


def _product(x: Tensor, dims: list[int], keep: bool) -> Tensor:
    for dim in sorted((d % x.ndim for d in dims), reverse=True):
        x = px.prod(x, dim, keepdim=keep)
    return x


_reduction("prod", _product, "Prod")


@function("argmax", "ArgMax")
def argmax(input: Tensor, axis: Any = None, output_type: Any = int64, dimension: Any = None) -> Tensor:
    """The places of the largest along `axis`, by default 0."""
    axis = dimension if axis is None else axis
    return px.argmax(input, 0 if axis is None else _int(axis)).to(output_type)


@function("argmin", "ArgMin")
def argmin(input: Tensor, axis: Any = None, output_type: Any = int64, dimension: Any = None) -> Tensor:
    """The places of the smallest along `axis`, by default 0."""
    axis = dimension if axis is None else axis
    return px.argmin(input, 0 if axis is None else _int(axis)).to(output_type)


@function("add_n", "AddN")
def add_n(inputs: Tensors) -> Tensor:
    """The sum of tensors of one shape."""
    total = inputs[0]
    for tensor in inputs[1:]:
        total = total + tensor
    return total


@function("cumsum", "Cumsum")
def cumsum(x: Tensor, axis: Any = 0, exclusive: bool = False, reverse: bool = False) -> Tensor:
    """Sums of all elements so far along `axis`; `exclusive` without the element itself, `reverse` from the end."""
    axis = _int(axis)
    turned = x.flip(axis) if reverse else x
    result = px.cumsum(turned, axis).to(x.dtype)
    result = result - turned if exclusive else result
    return result.flip(axis) if reverse else result


# --- products and shapes


@function("matmul", "MatMul")
def matmul(a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    """The product of matrices, or of batches of them."""
    a = a.transpose(-1, -2) if transpose_a else a
    return px.matmul(a, b.transpose(-1, -2) if transpose_b else b)


@function("tensordot", "Tensordot")
def tensordot(a: Tensor, b: Tensor, axes: Any) -> Tensor:
    """The sum of products over these axes of both."""
    return (
        px.tensordot(a, b, axes)
        if isinstance(axes, int)
        else px.tensordot(a, b, _ints(axes[0]), _ints(axes[1]))
    )


@function("shape", "Shape", of_shapes=True)
def shape(input: Tensor, out_type: Any = int32) -> Tensor:
    """The sizes, as a tensor, also of dimensions that are known only when the graph runs."""
    return px.tensor(list(input.shape), dtype=out_type)


@function("size", "Size", of_shapes=True)
def size(input: Tensor, out_type: Any = int32) -> Tensor:
    """The number of elements, as a tensor."""
    return px.tensor(input.numel(), dtype=out_type)


@function("rank", "Rank", of_shapes=True)
def rank(input: Tensor) -> Tensor:
    """The number of dimensions, as a tensor."""
    return px.tensor(input.ndim, dtype=int32)


@function("reshape", "Reshape")
def reshape(tensor: Tensor, shape: Any) -> Tensor:
    """The same elements in another shape, in which one size may be -1."""
    sizes = _ints(shape)
    if values.guess is not None:  # sizes that are not known need not fit each other
        try:
            return tensor.reshape(sizes)
        except px.ShapeError:
            return tensor.new_zeros([values.guess if size < 0 else size for size in sizes])
    return tensor.reshape(sizes)


@function("transpose", "Transpose")
def transpose(a: Tensor, perm: Any = None) -> Tensor:
    """The dimensions in the order `perm`, by default reversed."""
    return a.permute(list(range(a.ndim))[::-1] if perm is None else _ints(perm))


@function("expand_dims", "ExpandDims")
def expand_dims(input: Tensor, axis: Any = None, dim: Any = None) -> Tensor:
    """With a dimension of size 1 put in."""
    return input.unsqueeze(_int(dim if axis is None else axis))


@function("squeeze", "Squeeze")
def squeeze(input: Tensor, axis: Any = None, squeeze_dims: Any = None) -> Tensor:
    """Without the dimensions of size 1, or without those named."""
    axis = squeeze_dims if axis is None else axis
    for dim in [] if axis is None else _ints(axis):
        if input.shape[dim] != 1:
            fail(
                "ShapeError",
                "sizes_differ",
                f"squeeze: the dimension {dim} has the size {input.shape[dim]}",
                tensor=input,
            )
    return px.squeeze(input) if axis is None else px.squeeze(input, _ints(axis))


@function("concat", "ConcatV2")
def concat(values: Tensors, axis: Any) -> Tensor:
    """Tensors one after the other along `axis`."""
    return px.cat(list(values), _int(axis))


@function("stack", "Pack")
def stack(values: Tensors, axis: int = 0) -> Tensor:
    """Tensors of one shape along a new dimension."""
    values = list(values)
    return px.stack(values, axis)


@function("unstack", "Unpack")
def unstack(value: Tensor, num: Any = None, axis: int = 0) -> list[Tensor]:
    """The parts along `axis`, whose size must be known."""
    return list(value.unbind(axis))


@function("split", "Split")
def split(value: Tensor, num_or_size_splits: Any, axis: Any = 0, num: Any = None) -> list[Tensor]:
    """Parts along `axis`: so many equal ones, or of these sizes."""
    axis = _int(axis)
    if isinstance(num_or_size_splits, int):
        if value.shape[axis] % num_or_size_splits:
            fail(
                "ShapeError",
                "sizes_differ",
                f"split: the size {value.shape[axis]} is not divided by {num_or_size_splits}",
                tensor=value,
            )
        return list(px.split(value, value.shape[axis] // num_or_size_splits, axis))
    sizes = _ints(num_or_size_splits)
    rest = value.shape[axis] - sum(s for s in sizes if s >= 0)
    return list(px.split(value, [rest if s < 0 else s for s in sizes], axis))


@function("tile", "Tile")
def tile(input: Tensor, multiples: Any) -> Tensor:
    """Repeated so many times along each dimension."""
    return px.tile(input, _ints(multiples))


@function("pad", "Pad")
def pad(tensor: Tensor, paddings: Any, mode: str = "CONSTANT", constant_values: float = 0) -> Tensor:
    """With elements put before and after along each dimension: paddings [[before, after], ...]."""
    flat = _ints(paddings)
    pairs = [flat[i : i + 2] for i in range(0, len(flat), 2)]
    if mode.upper() == "CONSTANT":
        return px.pad(tensor, [n for pair in reversed(pairs) for n in pair], value=constant_values)
    for dim, (before, after) in enumerate(pairs):  # a mirror, with or without the border itself
        inner = int(mode.upper() == "REFLECT")
        n = tensor.shape[dim]
        parts = [tensor.narrow(dim, inner, before).flip(dim)] if before else []
        parts += [tensor]
        parts += [tensor.narrow(dim, n - after - inner, after).flip(dim)] if after else []
        tensor = px.cat(parts, dim) if len(parts) > 1 else tensor
    return tensor


@function("reverse", "ReverseV2")
def reverse(tensor: Tensor, axis: Any) -> Tensor:
    """The other way round along these dimensions."""
    return tensor.flip(_ints(axis))


@function("reverse_sequence", "ReverseSequence")
def reverse_sequence(
    input: Tensor,
    seq_lengths: Tensor,
    seq_axis: int = 1,
    batch_axis: int = 0,
    seq_dim: Any = None,
    batch_dim: Any = None,
) -> Tensor:
    """The first `seq_lengths[b]` elements of each sequence the other way round."""
    seq, batch = (a if b is None else b for a, b in ((seq_axis, seq_dim), (batch_axis, batch_dim)))
    x = input.movedim((batch, seq), (0, 1))
    places = px.arange(x.shape[1]).unsqueeze(0)
    lengths = seq_lengths.to(int64).unsqueeze(1)
    index = px.where(places < lengths, lengths - 1 - places, places)
    index = index.reshape([*index.shape, *[1] * (x.ndim - 2)]).expand(x.shape)
    return x.gather(1, index).movedim((0, 1), (batch, seq))


@function("strided_slice", "StridedSlice")
def strided_slice(input: Tensor, index: Any) -> Tensor:
    """`input[index]`, with all that NumPy has: slices, numbers, ellipsis, new dimensions, arrays."""

    def part(one: Any) -> Any:
        if isinstance(one, tuple):
            return tuple(map(part, one))
        if isinstance(one, slice):
            return slice(*(None if s is None else _int(s) for s in (one.start, one.stop, one.step)))
        return one.to(int64) if isinstance(one, Tensor) and one.dtype is not px.bool else one

    return input[part(index)]


@function("slice", "Slice")
def slice_(input_: Tensor, begin: Any, size: Any) -> Tensor:
    """The part that begins at `begin` and is of `size`, in which -1 stands for all that is left."""
    pairs = zip(_ints(begin), _ints(size))
    return input_[tuple(slice(b, None if s == -1 else b + s) for b, s in pairs)]


@function("gather", "GatherV2")
def gather(params: Tensor, indices: Tensor, axis: Any = 0) -> Tensor:
    """The parts of `params` at these places along `axis`."""
    axis = _int(axis) % max(params.ndim, 1)
    return params[(slice(None),) * axis + (indices.to(int64),)]


@function("gather_nd", "GatherNd")
def gather_nd(params: Tensor, indices: Tensor) -> Tensor:
    """The parts of `params` at these places, each a row of `indices`."""
    return params[tuple(indices.to(int64).unbind(-1))]


@function("boolean_mask", "BooleanMask")
def boolean_mask(tensor: Tensor, mask: Tensor) -> Tensor:
    """The parts where `mask` is true."""
    return tensor[mask]


@function("where", "Select")
def where(condition: Tensor, x: Any = None, y: Any = None) -> Tensor:
    """x where the condition holds, y elsewhere; without both, the places where it holds. A vector chooses rows."""
    if x is None and y is None:
        return px.nonzero(condition)
    if isinstance(x, Tensor) and condition.ndim == 1 and x.ndim > 1:
        condition = condition.reshape([-1] + [1] * (x.ndim - 1))
    return px.where(condition, x, y)


@function("scatter_nd", "ScatterNd")
def scatter_nd(indices: Tensor, updates: Tensor, shape: Any) -> Tensor:
    """Zeros, with the updates added at these places, each a row of `indices`."""
    return _scatter(tuple(indices.to(int64).unbind(-1)), updates, shape)


@function("scatter_nd_rows", "UnsortedSegmentSum")
def scatter_rows(indices: Tensor, updates: Tensor, shape: Any) -> Tensor:
    """Zeros, with the updates added in these rows."""
    return _scatter((indices.to(int64),), updates, shape)


def _scatter(places: tuple[Tensor, ...], updates: Tensor, shape: Any) -> Tensor:
    empty = px.zeros(_ints(shape), dtype=updates.dtype)
    return px.index_put(empty, list(places), updates, accumulate=True)


@function("unsorted_segment_sum", "UnsortedSegmentSum")
def unsorted_segment_sum(data: Tensor, segment_ids: Tensor, num_segments: Any) -> Tensor:
    """The sums of the rows of each segment."""
    return _scatter((segment_ids.to(int64),), data, [_int(num_segments), *data.shape[segment_ids.ndim :]])


@function("one_hot", "OneHot")
def one_hot(
    indices: Tensor,
    depth: Any,
    on_value: Any = 1.0,
    off_value: Any = 0.0,
    axis: int = -1,
    dtype: Any = px.float32,
) -> Tensor:
    """`on_value` at the place that an index names, along a new dimension of size `depth`; none for indices outside."""
    axis = axis if axis >= 0 else indices.ndim
    hot = indices.unsqueeze(-1) == px.arange(_int(depth)).to(indices.dtype)
    return px.where(hot, on_value, off_value).to(dtype).movedim(-1, axis)


@function("sequence_mask", "SequenceMask")
def sequence_mask(lengths: Tensor, maxlen: Any = None, dtype: Any = px.bool) -> Tensor:
    """True at the first `lengths[i]` places of row i."""
    longest = _int(lengths.max()) if maxlen is None else _int(maxlen)
    return (px.arange(longest).to(lengths.dtype) < lengths.unsqueeze(-1)).to(dtype)


@function("broadcast_to", "BroadcastTo")
def broadcast_to(input: Tensor, shape: Any) -> Tensor:
    """Repeated along dimensions of size 1, and new ones, until it has this shape."""
    return input.expand(_ints(shape))


# --- making tensors


@function("fill", "Fill")
def fill(dims: Any, value: Any) -> Tensor:
    """A tensor of one value."""
    if isinstance(value, Tensor):
        return value.expand(_ints(dims))
    return px.full(_ints(dims), value, dtype=int32 if type(value) is int else None)


@function("zeros", "Zeros")
def zeros(shape: Any, dtype: Any = px.float32) -> Tensor:
    """Zeros."""
    return px.zeros(_ints(shape), dtype=dtype)


@function("ones", "Ones")
def ones(shape: Any, dtype: Any = px.float32) -> Tensor:
    """Ones."""
    return px.ones(_ints(shape), dtype=dtype)


@function("zeros_like", "ZerosLike")
def zeros_like(tensor: Tensor, dtype: Any = None) -> Tensor:
    """Zeros of the shape of a tensor."""
    return px.zeros_like(tensor, dtype=dtype)


@function("ones_like", "OnesLike")
def ones_like(tensor: Tensor, dtype: Any = None) -> Tensor:
    """Ones of the shape of a tensor."""
    return px.ones_like(tensor, dtype=dtype)


@function("range", "Range")
def range_(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None) -> Tensor:
    """Numbers from `start` up to `limit`, without it; int32 where all are integers."""
    bounds = (0, start, delta) if limit is None else (start, limit, delta)
    if any(isinstance(b, Tensor) and b.dtype.is_floating_point for b in bounds):
        exact: list[Any] = [float(numbers(b)) if isinstance(b, Tensor) else b for b in bounds]
    else:
        exact = [b if isinstance(b, float) else _int(b) for b in bounds]
    dtype = dtype or (px.float32 if any(isinstance(n, float) for n in exact) else int32)
    return px.arange(*exact, dtype=dtype)


@function("linspace", "LinSpace")
def linspace(start: float, stop: float, num: Any) -> Tensor:
    """So many numbers from `start` to `stop`, both included."""
    return px.linspace(start, stop, _int(num))


@function("eye", "Eye")
def eye(num_rows: Any, num_columns: Any = None, dtype: Any = px.float32) -> Tensor:
    """Ones on the diagonal, zeros elsewhere."""
    rows = _int(num_rows)
    return px.eye(rows, rows if num_columns is None else _int(num_columns), dtype=dtype)


@function("cast", "Cast")
def cast(x: Tensor, dtype: Any) -> Tensor:
    """The tensor in another dtype."""
    return x.to(dtype)


@function("identity", "Identity")
def identity(input: Tensor) -> Tensor:
    """The tensor."""
    return input.view(input.shape)


@function("stop_gradient", "StopGradient")
def stop_gradient(input: Tensor) -> Tensor:
    """The tensor, as a constant where gradients are concerned."""
    return input.detach()


@function("check_numerics", "CheckNumerics")
def check_numerics(tensor: Tensor, message: str) -> Tensor:
    """The tensor; a run in which it has a NaN or an infinity raises AssertionError with the message."""
    px._phlox._require(px.isfinite(tensor).all(), message)
    return tensor


@function("ensure_shape", "EnsureShape")
def ensure_shape(x: Tensor, shape: Any) -> Tensor:
    """The tensor; raises ShapeError in a run in which it has another shape."""
    if len(shape) != x.ndim or any(s is not None and s != n for s, n in zip(shape, x.shape)):
        fail(
            "ShapeError",
            "sizes_differ",
            f"ensure_shape: the shape is {list(x.shape)} and not {shape}",
            tensor=x,
        )
    return x


# --- random numbers


def _generator(seed: int | None) -> Any:
    from ._execution import current_generator

    return current_generator(seed)


@function("random_normal", "RandomStandardNormal", pure=False)
def random_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = px.float32, seed: int | None = None
) -> Tensor:
    """Normal random numbers, others in each run."""
    return px.randn(_ints(shape), dtype=dtype, generator=_generator(seed)) * stddev + mean


@function("truncated_normal", "TruncatedNormal", pure=False)
def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = px.float32, seed: int | None = None
) -> Tensor:
    """Normal random numbers within two standard deviations."""
    inside = math.erf(math.sqrt(2))
    uniform = px.rand(_ints(shape), dtype=dtype, generator=_generator(seed)) * (2 * inside) - inside
    return px.erfinv(uniform) * (math.sqrt(2) * stddev) + mean


@function("random_uniform", "RandomUniform", pure=False)
def random_uniform(
    shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = px.float32, seed: int | None = None
) -> Tensor:
    """Random numbers from `minval` up to `maxval`, without it, which is 1 by default."""
    sizes, generator = _ints(shape), _generator(seed)
    if not dtype.is_floating_point:
        return px.randint(_int(minval), _int(maxval), sizes, dtype=dtype, generator=generator)
    uniform = px.rand(sizes, dtype=dtype, generator=generator)
    return uniform * ((1 if maxval is None else maxval) - minval) + minval


@function("random_shuffle", "RandomShuffle", pure=False)
def random_shuffle(value: Tensor, seed: int | None = None) -> Tensor:
    """The rows in random order."""
    return value[px.randperm(value.shape[0], generator=_generator(seed))]


@function("nn.dropout", "Dropout", pure=False)
def dropout(
    x: Tensor, keep_prob: Any = None, noise_shape: Any = None, seed: int | None = None, rate: Any = None
) -> Tensor:
    """Zeros at random places, with probability `rate` or 1 - `keep_prob`; the others grow so that the mean stays."""
    if (keep_prob is None) == (rate is None):
        fail("ValueError", "missing_argument", "dropout: give one of keep_prob and rate")
    keep = 1 - rate if keep_prob is None else keep_prob
    sizes = (
        list(x.shape)
        if noise_shape is None
        else [n if s is None else _int(s) for s, n in zip(noise_shape, x.shape)]
    )
    kept = (px.rand(sizes, dtype=x.dtype, generator=_generator(seed)) < keep).to(x.dtype)
    return x / keep * kept


# --- clipping and norms


@function("clip_by_value", "ClipByValue")
def clip_by_value(t: Tensor, clip_value_min: Any, clip_value_max: Any) -> Tensor:
    """No less than the one and no more than the other."""
    return px.minimum(
        px.maximum(t, px.as_tensor(clip_value_min).to(t.dtype)), px.as_tensor(clip_value_max).to(t.dtype)
    )


@function("clip_by_norm", "ClipByNorm")
def clip_by_norm(t: Tensor, clip_norm: Any, axes: Any = None) -> Tensor:
    """Scaled down so that the norm is no more than `clip_norm`."""
    squares = (t * t).sum(_axes(axes), keepdim=True) if axes is not None else (t * t).sum()
    norm = px.where(squares > 0, px.where(squares > 0, squares, 1).sqrt(), 0)
    return t * clip_norm / px.maximum(norm, px.as_tensor(clip_norm).to(t.dtype))


@function("global_norm_of", "GlobalNorm")
def global_norm_of(tensors: Tensors) -> Tensor:
    """The norm of all elements of several tensors."""
    total = (tensors[0] * tensors[0]).sum()
    for tensor in tensors[1:]:
        total = total + (tensor * tensor).sum()
    return total.sqrt()


@function("norm", "Norm")
def norm(tensor: Tensor, ord: Any = "euclidean", axis: Any = None, keepdims: bool = False) -> Tensor:
    """The norm over `axis`, by default of all elements: euclidean, 1, inf, ..."""
    p = 2 if ord == "euclidean" else ord
    dims = list(range(tensor.ndim)) if axis is None else _ints(axis)
    return px.norm(tensor, p, dims, keepdim=keepdims)


@function("nn.l2_normalize", "L2Normalize")
def l2_normalize(x: Tensor, axis: Any = None, epsilon: float = 1e-12, dim: Any = None) -> Tensor:
    """Scaled so that the norm over `axis` is 1."""
    axis = dim if axis is None else axis
    squares = (x * x).sum(_axes(axis), keepdim=True)
    return x * px.rsqrt(px.clamp_min(squares, epsilon))


@function("nn.l2_loss", "L2Loss")
def l2_loss(t: Tensor) -> Tensor:
    """Half the sum of squares."""
    return (t * t).sum() / 2


@function("global_norm_scale", "ClipByGlobalNorm")
def global_norm_scale(tensor: Tensor, norm: Tensor, clip_norm: Any) -> Tensor:
    """A tensor scaled so that tensors of this norm together have no more than `clip_norm`."""
    scale = clip_norm * px.minimum(1.0 / norm, px.as_tensor(1.0 / clip_norm).to(norm.dtype))
    # An infinite norm makes all of it NaN, so that it is seen.
    return tensor * px.where(px.isfinite(norm), scale, float("nan")).to(tensor.dtype)


# --- sparse tensors


@function("sparse_to_dense", "SparseToDense")
def sparse_to_dense(indices: Tensor, dense_shape: Any, values: Tensor, default_value: float = 0) -> Tensor:
    """One value everywhere, with others at these places."""
    empty = px.full(_ints(dense_shape), default_value, dtype=values.dtype)
    return px.index_put(empty, list(indices.to(int64).unbind(-1)), values)


_rename()
