"""Branches in graphs, and assertions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import phlox

from .. import _phlox
from .._failure import fail
from ._bodies import (
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
from ._execution import Frame, variables_of
from ._graph import Graph, Operation, get_default_graph
from ._kinds import KINDS, kind
from ._shapes import TensorShape
from ._tensors import Graphed, Tensor, add_outputs

px: Any = phlox  # whose operations only its stub names


@kind("If")
def _run_cond(frame: Frame, operation: Operation, inputs: list[Any]) -> Any:
    yes, no = operation.attributes["yes"], operation.attributes["no"]
    choice = frame.known_value(operation.inputs[0])
    if choice is not None:
        body = yes if choice else no
        bound, known = bindings_of(body, frame)
        inner, results = run_body(frame.state, body, bound, known)
        for result, outcome in zip(body.results, operation.outputs):
            if result in inner.known:
                frame.known.add(outcome)
        return results
    names = sorted(variables_of([operation], written_only=True))
    before = [frame.state.read(name) for name in names]

    def side(body: Graph) -> Callable[[], list[Any]]:
        def run() -> list[Any]:
            state = state_with(frame.state, names, before)
            bound, _ = bindings_of(body, frame)
            _, results = run_body(state, body, bound, set())
            return [*results, *(state.values[name] for name in names)]

        return run

    results = list(_phlox._cond(inputs[0].reshape(()), side(yes), side(no)))
    count = len(operation.outputs)
    for name, value in zip(names, results[count:]):
        frame.state.write(name, value)
    return results[:count]


def cond(
    pred: Any,
    true_fn: Callable[[], Any] | None = None,
    false_fn: Callable[[], Any] | None = None,
    strict: bool = False,
    name: str | None = None,
    fn1: Callable[[], Any] | None = None,
    fn2: Callable[[], Any] | None = None,
) -> Any:
    """What `true_fn()` gives where the condition holds, else what `false_fn()` gives; only the one that is taken runs.

    What is written outside of the functions runs in any case. Both give the same structure, of the same dtypes. Gradients
    flow through, and variables may be assigned in both.
    """
    yes_fn, no_fn = fn1 if true_fn is None else true_fn, fn2 if false_fn is None else false_fn
    if not callable(yes_fn) or not callable(no_fn):
        fail(
            "TypeError", "wrong_argument_type", "cond(): true_fn and false_fn must be functions", "lambda: x"
        )
    if isinstance(pred, (bool, int)):
        fail(
            "TypeError",
            "wrong_argument_type",
            "cond(): the condition must be a tensor",
            "tf.constant(True), or Python's if",
        )
    outer = get_default_graph()
    condition = convert(pred)
    with outer.name_scope(name or "cond") as scope:
        yes, yes_result = make_body(yes_fn, [])
        no, no_result = make_body(no_fn, [])
    sides = [
        # An operation counts as something that happens, and gives nothing.
        [None if isinstance(leaf, Operation) else leaf for leaf in flatten(r)]
        for r in (yes_result, no_result)
    ]
    if len(sides[0]) != len(sides[1]):
        fail(
            "ValueError",
            "invalid_value",
            f"cond(): true_fn gives {len(sides[0])} tensors and false_fn {len(sides[1])}",
            hint="the same structure on both sides",
        )
    is_empty = all(leaf is None for side in sides for leaf in side)
    for body, leaves in zip((yes, no), sides):
        finish_body(body, [] if is_empty else leaves)
    for a, b in zip(yes.results, no.results):
        if a.dtype is not b.dtype:
            fail(
                "DTypeError",
                "wrong_dtype",
                f"cond(): true_fn gives {a.dtype.name} where false_fn gives {b.dtype.name}",
                hint="tf.cast(x, dtype)",
            )
    inputs = [condition, *captured_by((yes, no), outer)]
    operation = outer.add(KINDS["If"], inputs, scope, attributes={"yes": yes, "no": no})
    operation._add_control_inputs([*yes.waits_for, *no.waits_for])
    outputs = add_outputs(
        operation, [(a.dtype, _common(a.shape, b.shape)) for a, b in zip(yes.results, no.results)]
    )
    if is_empty:
        return operation
    results = [like_leaf(leaf, t) for leaf, t in zip(flatten(yes_result), outputs)]
    if (
        isinstance(yes_result, (list, tuple))
        and len(yes_result) == 1
        and not strict
        and not hasattr(yes_result, "_fields")
    ):
        return results[0]
    return pack(yes_result, results)


def _common(a: TensorShape, b: TensorShape) -> TensorShape:
    """What holds for both shapes."""
    if not a or not b or a.ndims != b.ndims:
        return TensorShape(None)
    return TensorShape([x if x == y else None for x, y in zip(a.as_list(), b.as_list())])


def case(
    pred_fn_pairs: Any,
    default: Callable[[], Any] | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: str = "case",
) -> Any:
    """What the function gives whose condition is the first that holds, or `default`.

    With `exclusive`, a run in which more than one holds raises AssertionError; without a default, one in which none does.
    """
    pairs = list(pred_fn_pairs.items() if isinstance(pred_fn_pairs, dict) else pred_fn_pairs)
    conditions = [convert(p) for p, _ in pairs]
    held = create_function("stack", ([create_function("reshape", (c, []), {}) for c in conditions],), {})
    checks = []
    if exclusive:
        count = create_function("reduce_sum", (create_function("cast", (held, px.int32), {}),), {})
        checks.append(Assert(count <= 1, "case(): more than one condition holds"))
    if default is None:
        checks.append(Assert(create_function("reduce_any", (held,), {}), "case(): no condition holds"))
        default = pairs[-1][1]
    chosen = default
    for condition, function in reversed(list(zip(conditions, (f for _, f in pairs)))):
        chosen = _choice(condition, function, chosen, name)
    with get_default_graph().control_dependencies(checks):
        return chosen()


def _choice(
    condition: Tensor, function: Callable[[], Any], other: Callable[[], Any], name: str
) -> Callable[[], Any]:
    return lambda: cond(condition, function, other, name=name)


@kind("Assert")
def _run_assert(frame: Frame, operation: Operation, inputs: list[Any]) -> Any:
    _phlox._require(inputs[0].reshape(()), operation.attributes["message"])
    return []


def Assert(condition: Any, data: Any, summarize: Any = None, name: str | None = None) -> Operation:
    """An operation that raises AssertionError in a run in which the condition does not hold, with the text of `data`."""
    texts = [
        str(d) for d in (data if isinstance(data, (list, tuple)) else [data]) if not isinstance(d, Graphed)
    ]
    message = " ".join(texts) or "the condition of an assertion does not hold"
    return get_default_graph().add(
        KINDS["Assert"], [convert(condition)], name, attributes={"message": message}
    )
