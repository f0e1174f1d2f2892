"""Loops in graphs, run by `px.while_loop` or written out where their end does not depend on data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import phlox

from .. import _phlox
from .._failure import fail
from ._array import ArrayValue, TensorArray
from ._bodies import (
    as_value,
    bindings_of,
    captured_by,
    finish_body,
    flatten,
    like_leaf,
    make_body,
    pack,
    run_body,
    state_with,
)
from ._calls import convert, create_function
from ._execution import Frame, State, variables_of
from ._graph import Operation, get_default_graph
from ._kinds import KINDS, kind
from ._shapes import TensorShape
from ._tensors import Tensor, add_outputs

px: Any = phlox  # whose operations only its stub names

# So many turns of a loop whose end does not depend on data are written out when it is captured. A loop of the program that
# carries arrays, or gradients, copies what it keeps in each turn, so more turns pay there.
MOST_TURNS_WRITTEN_OUT = 32
MOST_TURNS_WITH_ARRAYS = 1024


@kind("While")
def _run_while(frame: Frame, operation: Operation, inputs: list[Any]) -> Any:
    test, body = operation.attributes["test"], operation.attributes["body"]
    count = len(operation.outputs)
    values, symbols = list(inputs[:count]), operation.inputs[:count]
    capturing = _phlox._is_capturing()
    known = [s in frame.known for s in symbols]
    test_captures, body_captures = bindings_of(test, frame), bindings_of(body, frame)

    def holds(state: State, values: Sequence[Any], known: Sequence[bool]) -> tuple[Any, bool]:
        bound = {**test_captures[0], **dict(zip(test.parameters, values))}
        marks = test_captures[1] | {p for p, k in zip(test.parameters, known) if k}
        inner, (result,) = run_body(state, test, bound, marks)
        return result.reshape(()) if not capturing else result, test.results[0] in inner.known

    def turn(state: State, values: Sequence[Any], known: Sequence[bool]) -> tuple[list[Any], list[bool]]:
        bound = {**body_captures[0], **dict(zip(body.parameters, values))}
        marks = body_captures[1] | {p for p, k in zip(body.parameters, known) if k}
        inner, results = run_body(state, body, bound, marks)
        return results, [r in inner.known for r in body.results]

    turns = 0
    keeps = px.is_grad_enabled() or any(isinstance(v, ArrayValue) for v in values)
    most = MOST_TURNS_WITH_ARRAYS if keeps else MOST_TURNS_WRITTEN_OUT
    before = dict(frame.state.values), dict(frame.state.written)
    now, now_known = values, known
    while not capturing or turns <= most:
        more, is_known = holds(frame.state, now, now_known)
        if capturing and not is_known:
            break
        if not _phlox._outside_capture(lambda: bool(more.reshape(()).item())):
            for outcome, mark in zip(operation.outputs, now_known):
                if mark:
                    frame.known.add(outcome)
            return now
        now, now_known = turn(frame.state, now, now_known)
        turns += 1
    # The end depends on data, or is far away: one loop of the captured program.
    frame.state.values, frame.state.written = before
    names = sorted(variables_of([operation], written_only=True))
    arrays = _ready_arrays(frame, values, turn)
    packed = [_packed(v) for v in arrays]
    sizes = [len(p) for p in packed]

    def unpacked(tensors: Sequence[Any]) -> list[Any]:
        parts, start = [], 0
        for value, size in zip(arrays, sizes):
            parts.append(_unpacked(value, tensors[start : start + size]))
            start += size
        return parts

    def loop_state(tensors: Sequence[Any]) -> State:
        return state_with(frame.state, names, tensors[sum(sizes) :])

    unknown = [False] * count

    def test_function(*tensors: Any) -> Any:
        return holds(loop_state(tensors), unpacked(tensors), unknown)[0]

    def body_function(*tensors: Any) -> Any:
        state = loop_state(tensors)
        results, _ = turn(state, unpacked(tensors), unknown)
        return [*(t for r in results for t in _packed(r)), *(state.values[name] for name in names)]

    start = [*(t for p in packed for t in p), *(frame.state.read(name) for name in names)]
    results = list(px.while_loop(test_function, body_function, start))
    for name, value in zip(names, results[sum(sizes) :]):
        frame.state.write(name, value)
    return unpacked(results)


def _packed(value: Any) -> list[Any]:
    return value.tensors() if isinstance(value, ArrayValue) else [value]


def _unpacked(like: Any, tensors: Sequence[Any]) -> Any:
    return like.of_tensors(tensors) if isinstance(like, ArrayValue) else tensors[0]


def _ready_arrays(frame: Frame, values: list[Any], turn: Callable[..., Any]) -> list[Any]:
    """The values, with arrays as tensors of one size, which a captured loop needs: a turn shows the shape of elements."""
    if not any(isinstance(v, ArrayValue) for v in values):
        return values
    if any(isinstance(v, ArrayValue) and v.dynamic for v in values):
        fail(
            "GraphError",
            "not_capturable",
            "a TensorArray that grows in a loop whose end depends on data",
            "size=",
        )
    results, _ = turn(state_with(frame.state, (), ()), values, [False] * len(values))
    shapes = [r.element_shape() if isinstance(r, ArrayValue) else None for r in results]
    return [
        v.as_buffer(r.element_dtype(), shape) if isinstance(v, ArrayValue) else v
        for v, r, shape in zip(values, results, shapes)
    ]


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
    maximum_iterations: Any = None,
    return_same_structure: bool = False,
) -> Any:
    """While `cond(*loop_vars)` holds, `loop_vars = body(*loop_vars)`; gives the last ones.

    The functions are called once each, to write the loop into the graph. Variables keep their dtypes, and their shapes
    unless `shape_invariants` says which sizes may change. Gradients flow through.

    Example:
        i, total = tf.while_loop(lambda i, s: i < 10, lambda i, s: (i + 1, s + i), [0, 0])
    """
    if not callable(cond) or not callable(body):
        fail("TypeError", "wrong_argument_type", "while_loop(): cond and body must be functions")
    given = loop_vars if isinstance(loop_vars, (list, tuple)) else [loop_vars]
    if not given:
        fail("ValueError", "missing_argument", "while_loop(): there are no loop variables")
    structure = list(given)
    test_fn, body_fn = cond, body
    if maximum_iterations is not None:
        structure = [convert(0, "int32"), *structure]
        test_fn, body_fn = _limited(cond, body, convert(maximum_iterations, "int32"))
    outer = get_default_graph()
    with outer.name_scope(name or "while") as scope:
        leaves = [leaf if isinstance(leaf, TensorArray) else convert(leaf) for leaf in flatten(structure)]
        starts = [as_value(leaf) for leaf in leaves]
        shapes: list[Any] = [t.shape for t in starts]
        if shape_invariants is not None:
            given_shapes = _flat_shapes(shape_invariants)
            shapes[len(shapes) - len(given_shapes) :] = given_shapes

        def build(parameters: Sequence[Tensor]) -> Any:
            return pack(structure, [like_leaf(leaf, t) for leaf, t in zip(leaves, parameters)])

        test_graph, condition = make_body(test_fn, starts, shapes, build)
        body_graph, result = make_body(body_fn, starts, shapes, build)
    finish_body(test_graph, [condition])
    results = (
        list(result) if isinstance(result, (list, tuple)) and not hasattr(result, "_fields") else [result]
    )
    if len(structure) == 1 and not (isinstance(result, (list, tuple)) and len(result) == 1):
        results = [result]
    new = flatten(results)
    if len(new) != len(starts):
        fail(
            "ValueError",
            "invalid_value",
            f"while_loop(): the body gives {len(new)} tensors for {len(starts)} loop variables",
            hint="the same structure as loop_vars",
        )
    with body_graph.as_default():
        new = [n if isinstance(n, TensorArray) else convert(n, t.dtype) for n, t in zip(new, starts)]
    finish_body(body_graph, new)
    for number, (start, shape, value) in enumerate(zip(starts, shapes, body_graph.results)):
        if not _stays_within(value.shape, TensorShape(shape)):
            fail(
                "ShapeError",
                "sizes_differ",
                f'while_loop(): the loop variable {number}, "{start.name}", begins with the shape {TensorShape(shape)} '
                f"and has the shape {value.shape} after a turn",
                hint="shape_invariants, with None for sizes that change",
            )
    inputs = [*starts, *captured_by((test_graph, body_graph), outer)]
    operation = outer.add(KINDS["While"], inputs, scope, attributes={"test": test_graph, "body": body_graph})
    operation._add_control_inputs([*test_graph.waits_for, *body_graph.waits_for])
    outputs = add_outputs(operation, [(t.dtype, s) for t, s in zip(starts, shapes)])
    final = pack(structure, [like_leaf(leaf, t) for leaf, t in zip(new, outputs)])
    if maximum_iterations is not None:
        final = final[1:]
    if len(final) == 1 and not return_same_structure:
        return final[0]
    return pack(given, flatten(final))


def _limited(cond: Callable[..., Any], body: Callable[..., Any], limit: Tensor) -> tuple[Any, Any]:
    def test_fn(turn: Any, *variables: Any) -> Any:
        return create_function("logical_and", (turn < limit, cond(*variables)), {})

    def body_fn(turn: Any, *variables: Any) -> Any:
        result = body(*variables)
        parts = (
            list(result) if isinstance(result, (list, tuple)) and not hasattr(result, "_fields") else [result]
        )
        if len(variables) == 1 and len(parts) != 1:
            parts = [result]
        return [turn + 1, *parts]

    return test_fn, body_fn


def _flat_shapes(structure: Any) -> list[Any]:
    if isinstance(structure, TensorShape):
        return [structure]
    if isinstance(structure, (list, tuple)):
        return [shape for part in structure for shape in _flat_shapes(part)]
    return [TensorShape(None)]


def _stays_within(shape: TensorShape, invariant: TensorShape) -> bool:
    if not invariant or not shape:
        return True
    pairs = zip(shape.as_list(), invariant.as_list())
    return shape.ndims == invariant.ndims and all(None in (s, i) or s == i for s, i in pairs)
