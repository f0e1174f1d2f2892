"""Functions of the elements along a first dimension: map, fold and scan, written with `while_loop`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._failure import fail
from ._array import TensorArray
from ._bodies import flatten, map_structure, pack
from ._calls import convert, create_function
from ._graph import get_default_graph
from ._loops import while_loop
from ._tensors import Tensor, as_dtype


def _elements(elems: Any) -> tuple[list[Tensor], Tensor]:
    tensors = [convert(e) for e in flatten(elems)]
    return tensors, create_function("shape", (tensors[0],), {})[0]


def _gathered(tensors: Sequence[Tensor], structure: Any, place: Any) -> Any:
    return pack(structure, [create_function("gather", (t, place), {}) for t in tensors])


def map_fn(
    fn: Callable[..., Any],
    elems: Any,
    dtype: Any = None,
    parallel_iterations: Any = None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name: str | None = None,
) -> Any:
    """The function of each element along the first dimension, stacked. `dtype` says of what dtypes the results are,
    where these differ from those of the elements."""
    with get_default_graph().name_scope(name or "map"):
        tensors, count = _elements(elems)
        dtypes = map_structure(lambda t: t.dtype, pack(elems, tensors)) if dtype is None else dtype
        arrays = [TensorArray(as_dtype(d), count) for d in flatten(dtypes)]

        def body(i: Any, arrays: Any) -> Any:
            results = flatten(fn(_gathered(tensors, elems, i)))
            if len(results) != len(arrays):
                fail(
                    "ValueError",
                    "invalid_value",
                    f"map_fn(): the function gives {len(results)} tensors, and dtype names {len(arrays)}",
                    hint="dtype=(tf.float32, tf.int32)",
                )
            return i + 1, [a.write(i, r) for a, r in zip(arrays, results)]

        _, arrays = while_loop(lambda i, _: i < count, body, (0, arrays))
        results = [a.stack() for a in arrays]
        for result in results:
            _set_first_size(result, tensors[0])
        return pack(dtypes, results)


def _set_first_size(result: Tensor, like: Tensor) -> None:
    if like.shape and result.shape:
        result.set_shape([like.shape.as_list()[0], *result.shape.as_list()[1:]])


def foldl(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """`fn(fn(fn(initializer, elems[0]), elems[1]), elems[2])` and so on; by default from the first element on."""
    return _fold(fn, elems, initializer, name or "foldl", False)


def foldr(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """Like `foldl`, from the last element to the first."""
    return _fold(fn, elems, initializer, name or "foldr", True)


def _fold(fn: Callable[..., Any], elems: Any, initializer: Any, name: str, backwards: bool) -> Any:
    with get_default_graph().name_scope(name):
        tensors, count = _elements(elems)

        def place(i: Any) -> Any:
            return count - 1 - i if backwards else i

        first = 0 if initializer is not None else 1
        start = initializer if initializer is not None else _gathered(tensors, elems, place(convert(0)))
        start = map_structure(convert, start)

        def body(i: Any, accumulated: Any) -> Any:
            return i + 1, fn(accumulated, _gathered(tensors, elems, place(i)))

        return while_loop(lambda i, _: i < count, body, (first, start))[1]


def scan(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    reverse: bool = False,
    name: str | None = None,
) -> Any:
    """All the values that `foldl` has on its way, stacked; with `reverse`, from the last element on."""
    with get_default_graph().name_scope(name or "scan"):
        tensors, count = _elements(elems)

        def place(i: Any) -> Any:
            return count - 1 - i if reverse else i

        has_start = initializer is not None
        start = initializer if has_start else _gathered(tensors, elems, place(convert(0)))
        start = map_structure(convert, start)
        arrays = [TensorArray(t.dtype, count) for t in flatten(start)]
        if not has_start:
            arrays = [a.write(place(convert(0)), t) for a, t in zip(arrays, flatten(start))]

        def body(i: Any, accumulated: Any, arrays: Any) -> Any:
            result = fn(accumulated, _gathered(tensors, elems, place(i)))
            written = [a.write(place(i), r) for a, r in zip(arrays, flatten(result))]
            return i + 1, result, written

        first = 0 if has_start else 1
        _, _, arrays = while_loop(lambda i, *_: i < count, body, (first, start, arrays))
        results = [a.stack() for a in arrays]
        for result in results:
            _set_first_size(result, tensors[0])
        return pack(start, results)
