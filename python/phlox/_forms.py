"""Forms of calls that PyTorch has beside the signature of an operation, such as `px.add(x, y, alpha=2)`.

An operation has one signature, in C++ and in Python. The extension sends a call here when it has one of the keywords
below, or a tensor where the signature has a list of tensors; all others never come by.
"""

from . import _phlox
from ._failure import fail
from ._phlox import (
    Tensor,
    _add_form,
    atleast_1d,
    atleast_2d,
    atleast_3d,
    block_diag,
    broadcast_tensors,
    cartesian_prod,
    div,
    einsum,
    floor_divide,
    isclose,
    isnan,
    lexsort,
    linear_cross_entropy,
    logical_and,
    logical_or,
    meshgrid,
    mul,
    nonzero,
    permute,
    round,
    std,
    std_mean,
    tensor_split,
    tensordot,
    trunc,
    unique,
    unique_all,
    unique_consecutive,
    unique_consecutive_all,
    unique_consecutive_dim,
    unique_counts,
    unique_dim,
    unique_inverse,
    var,
    var_mean,
    where,
)
from ._phlox import add as _add
from ._phlox import gradient as _gradient
from ._phlox import gradient_at as _gradient_at
from ._phlox import sub as _sub


def _on_keyword(keyword, *names):
    def register(function):
        for name in names:
            _add_form(name, function, keyword, 0)
        return function

    return register


def _scaled(number, alpha):
    return number if alpha == 1 else number * alpha


@_on_keyword("alpha", "add")
def _add_scaled(input, other, *, alpha, out=None):
    return _add(input, _scaled(other, alpha), out=out)


@_on_keyword("alpha", "sub")
def _sub_scaled(input, other, *, alpha, out=None):
    return _sub(input, _scaled(other, alpha), out=out)


@_on_keyword("alpha", "add_")
def _add_scaled_in_place(input, other, *, alpha):
    return input.add_(_scaled(other, alpha))


@_on_keyword("alpha", "sub_")
def _sub_scaled_in_place(input, other, *, alpha):
    return input.sub_(_scaled(other, alpha))


def _with_unbiased(operation):
    def form(input, dim=None, *, unbiased, keepdim=False, **synonyms):
        return operation(input, dim, correction=int(unbiased), keepdim=keepdim, **synonyms)

    _on_keyword("unbiased", operation.__name__)(form)


for _operation in (std, var, std_mean, var_mean):
    _with_unbiased(_operation)


def _whole_quotient(input, other, rounding_mode):
    """The quotient rounded towards zero or down; of integers an integer."""
    if rounding_mode == "floor":
        return floor_divide(input, other)
    floating = [x.dtype for x in (input, other) if isinstance(x, Tensor) and x.dtype.is_floating_point]
    if floating or isinstance(input, float) or isinstance(other, float):
        return trunc(div(input, other))
    down = floor_divide(input, other)
    rest = input - down * other
    return where(down < 0, where(rest != 0, down + 1, down), down)


def _rounding_mode(mode):
    if mode not in (None, "trunc", "floor"):
        fail("ValueError", "invalid_value", f"div: rounding_mode is {mode!r}", 'None, "trunc" or "floor"')
    return mode


@_on_keyword("rounding_mode", "div")
def _div_rounded(input, other, *, rounding_mode, out=None):
    if _rounding_mode(rounding_mode) is None:
        return div(input, other, out=out)
    result = _whole_quotient(input, other, rounding_mode)
    return result if out is None else out.copy_(result)


@_on_keyword("rounding_mode", "div_")
def _div_rounded_in_place(input, other, *, rounding_mode):
    if _rounding_mode(rounding_mode) is None:
        return input.div_(other)
    return input.copy_(_whole_quotient(input, other, rounding_mode))


def _rounded(input, decimals):
    if decimals == 0 or not input.dtype.is_floating_point:
        return round(input)
    scale = 10.0 ** abs(decimals)
    return div(round(mul(input, scale)), scale) if decimals > 0 else mul(round(div(input, scale)), scale)


@_on_keyword("decimals", "round")
def _round_decimals(input, *, decimals, out=None):
    result = _rounded(input, decimals)
    return result if out is None else out.copy_(result)


@_on_keyword("decimals", "round_")
def _round_decimals_in_place(input, *, decimals):
    return input.copy_(_rounded(input, decimals))


@_on_keyword("equal_nan", "isclose")
def _isclose_with_nan(input, other, rtol=1e-05, atol=1e-08, *, equal_nan):
    close = isclose(input, other, rtol, atol)
    return logical_or(close, logical_and(isnan(input), isnan(other))) if equal_nan else close


@_on_keyword("axes", "transpose")
def _transpose_as_numpy(input, *, axes):
    return permute(input, axes)


@_on_keyword("axes", "tensordot")
def _tensordot_as_numpy(input, other, *, axes):
    if isinstance(axes, int):
        return tensordot(input, other, axes)
    first, second = ([axis] if isinstance(axis, int) else list(axis) for axis in axes)
    return tensordot(input, other, first, second)


@_on_keyword("spacing", "gradient")
def _gradient_with_spacing(input, *, spacing, dim=None, edge_order=1):
    if spacing is None or isinstance(spacing, (int, float)):
        return _gradient(input, None if spacing is None else [float(spacing)], dim, edge_order)
    spacing = [spacing] if isinstance(spacing, Tensor) and spacing.ndim else list(spacing)
    count = input.ndim if dim is None else 1 if isinstance(dim, int) else len(dim)
    if len(spacing) != count:
        message = f"gradient: {len(spacing)} spacings for {count} dimensions"
        fail("ShapeError", "sizes_differ", message, "one for each dimension, or a number for all")
    if any(isinstance(part, Tensor) and part.ndim for part in spacing):
        return _gradient_at(input, spacing, dim, edge_order)
    return _gradient(input, [float(part) for part in spacing], dim, edge_order)


@_on_keyword("as_tuple", "nonzero")
def _nonzero(input, *, as_tuple):
    return nonzero(input).unbind(1) if as_tuple else nonzero(input)


@_on_keyword("dim", "unique")
@_on_keyword("return_counts", "unique")
@_on_keyword("return_inverse", "unique")
@_on_keyword("sorted", "unique")
def _unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    if dim is not None:
        return _chosen(unique_dim(input, dim), return_inverse, return_counts)
    if return_inverse and return_counts:
        values, inverse, counts = unique_all(input)
        return values, inverse, counts
    if return_inverse:
        return tuple(unique_inverse(input))
    return tuple(unique_counts(input)) if return_counts else unique(input)


def _chosen(results, return_inverse, return_counts):
    values, inverse, counts = results
    if not return_inverse and not return_counts:
        return values
    return (values, *([inverse] if return_inverse else []), *([counts] if return_counts else []))


@_on_keyword("dim", "unique_consecutive")
@_on_keyword("return_counts", "unique_consecutive")
@_on_keyword("return_inverse", "unique_consecutive")
def _unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    if dim is not None:
        return _chosen(unique_consecutive_dim(input, dim), return_inverse, return_counts)
    if not return_inverse and not return_counts:
        return unique_consecutive(input)
    return _chosen(unique_consecutive_all(input), return_inverse, return_counts)


def _at(position, operation):
    def register(function):
        _add_form(operation.__name__, function, None, position)
        return function

    return register


@_on_keyword("dims", "tensordot")
@_at(2, tensordot)
def _tensordot(input, other, dims=2, *, out=None):
    if hasattr(dims, "tolist"):
        dims = dims.tolist()
    if isinstance(dims, (list, tuple)) and len(dims) == 2 and not isinstance(dims[0], int):
        return tensordot(input, other, *dims, out=out)
    return tensordot(input, other, dims, out=out)


@_at(1, tensor_split)
def _tensor_split(input, indices_or_sections, dim=0):
    positions = (
        _phlox.tensor(indices_or_sections)
        if isinstance(indices_or_sections, list | tuple)
        else indices_or_sections
    )
    if positions.ndim > 1:
        fail(
            "ShapeError",
            "wrong_rank",
            f"tensor_split: positions are a list, not one of {positions.ndim} dimensions",
        )
    return tensor_split(input, positions.tolist(), dim)


@_at(0, lexsort)
def _lexsort(keys, dim=-1):
    return lexsort(list(keys.unbind(0)), dim)


@_on_keyword("options", "linear_cross_entropy")
def _linear_cross_entropy(input, linear_weight, target, *, options, **keywords):
    del options  # how PyTorch saves memory; the result is the same
    return linear_cross_entropy(input, linear_weight, target, **keywords)


def _takes_tensors_without_brackets(operation, position=0):
    def form(*arguments, **keywords):
        return operation(*arguments[:position], list(arguments[position:]), **keywords)

    _add_form(operation.__name__, form, None, position)


for _joining in (meshgrid, broadcast_tensors, block_diag, cartesian_prod):
    _takes_tensors_without_brackets(_joining)
_takes_tensors_without_brackets(einsum, 1)


def _each_of_several(operation):
    _at(1, operation)(lambda *tensors: operation(list(tensors)))


for _widening in (atleast_1d, atleast_2d, atleast_3d):
    _each_of_several(_widening)


# What is said of the memory of new tensors in PyTorch, and has one answer here.
_LAYOUTS = ("layout", "pin_memory", "memory_format")
_MAKERS = """arange empty empty_like empty_permuted empty_strided eye full full_like linspace logspace new_empty new_full
    new_ones new_zeros normal ones ones_like rand rand_like randint randint_like randn randn_like randperm scalar_tensor
    tril_indices triu_indices zeros zeros_like""".split()


def _plain(name, layout=None, pin_memory=False, memory_format=None):
    del pin_memory  # memory of the CPU is all there is
    if layout not in (None, "strided"):
        fail("NotSupportedError", "not_supported", f"{name}: makes no {layout} tensors", "x.to_sparse()")
    return memory_format if memory_format not in (None, "preserve") else None


def _takes_layout(name):
    make = getattr(_phlox, name)

    def form(*arguments, **keywords):
        wanted = _plain(name, **{key: keywords.pop(key) for key in _LAYOUTS if key in keywords})
        made = make(*arguments, **keywords)
        return made if wanted is None else made.contiguous(memory_format=wanted)

    _on_keyword("layout", name)(form)
    _on_keyword("pin_memory", name)(form)
    _on_keyword("memory_format", name)(form)


for _maker in _MAKERS:
    _takes_layout(_maker)
