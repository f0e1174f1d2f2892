"""Branches and loops in graphs: their bodies are graphs of their own, run by `px.cond` and `px.while_loop`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import phlox

from .. import _phlox
from .._failure import fail
from ._array import ArrayValue, TensorArray
from ._calls import convert, create_function
from ._execution import Frame, State, body_operations, variables_of, watched_of
from ._graph import Graph, Operation, get_default_graph
from ._kinds import KINDS, kind
from ._shapes import TensorShape
from ._tensors import Graphed, IndexedSlices, SparseTensor, Tensor, add_outputs, as_dtype, parameter

px: Any = phlox  # whose operations only its stub names

# So many turns of a loop whose end does not depend on data are written out when it is captured.
MOST_TURNS_WRITTEN_OUT = 256

# --- structures


def flatten(structure: Any) -> list[Any]:
    """The leaves of nested lists, tuples and dictionaries."""
    if isinstance(structure, (list, tuple)):
        return [leaf for part in structure for leaf in flatten(part)]
    if isinstance(structure, dict):
        return [leaf for key in sorted(structure) for leaf in flatten(structure[key])]
    return [structure]


def pack(structure: Any, leaves: Sequence[Any]) -> Any:
    """The structure with these leaves."""
    waiting = iter(leaves)

    def build(part: Any) -> Any:
        if isinstance(part, (list, tuple)):
            parts = [build(p) for p in part]
            if hasattr(part, "_fields"):
                return type(part)(*parts)
            return parts if isinstance(part, list) else tuple(parts)
        if isinstance(part, dict):
            return {key: build(part[key]) for key in sorted(part)}
        return next(waiting)

    return build(structure)


def map_structure(function: Callable[..., Any], *structures: Any) -> Any:
    """The function of the leaves in each place."""
    return pack(structures[0], [function(*leaves) for leaves in zip(*map(flatten, structures))])


def _as_value(leaf: Any) -> Tensor:
    """The tensor that stands for a leaf in the graph."""
    return leaf.flow if isinstance(leaf, TensorArray) else convert(leaf)


def _like(leaf: Any, tensor: Tensor) -> Any:
    """The tensor as the kind of thing that the leaf is."""
    return leaf.of_flow(tensor) if isinstance(leaf, TensorArray) else tensor


# --- small ones


@kind("NoOp")
def _run_nothing(frame: Frame, operation: Operation, inputs: list[Any]) -> Any:
    return []


def no_op(name: str | None = None) -> Operation:
    """An operation that does nothing."""
    return get_default_graph().add(KINDS["NoOp"], [], name)


def _operations(items: Any) -> list[Operation]:
    found = []
    for item in flatten(items):
        if item is None:
            continue
        if isinstance(item, IndexedSlices):
            item = item.values
        if isinstance(item, SparseTensor):
            item = item.values
        if isinstance(item, Graphed):
            item = item.as_tensor().op
        if not isinstance(item, Operation):
            fail("TypeError", "wrong_argument_type", f"group() takes operations and tensors, not {item!r}")
        found.append(item)
    return found


def group(*inputs: Any, name: str | None = None, **_: Any) -> Operation:
    """An operation that is done when all of these are."""
    operations = _operations(list(inputs))
    with get_default_graph().control_dependencies(operations):
        return no_op(name or "group_deps")


def tuple_(tensors: Sequence[Any], name: str | None = None, control_inputs: Any = None) -> list[Any]:
    """The same tensors, none of which is there before all of them are."""
    waits = [*_operations(list(tensors)), *_operations(list(control_inputs or []))]
    with get_default_graph().name_scope(name or "tuple"), get_default_graph().control_dependencies(waits):
        return [
            None
            if t is None
            else IndexedSlices(identity(t.values), identity(t.indices), t.dense_shape)
            if isinstance(t, IndexedSlices)
            else t
            if isinstance(t, Operation)
            else identity(t)
            for t in tensors
        ]


def identity(input: Any, name: str | None = None) -> Tensor:
    """The tensor, after the control dependencies of the current scope."""
    return create_function("identity", (convert(input),), {}, name)


def with_dependencies(dependencies: Any, output: Any, name: str | None = None) -> Any:
    """The tensor, once these operations are done."""
    with get_default_graph().control_dependencies(_operations(list(dependencies))):
        return identity(output, name)


# --- bodies


def _body(
    function: Callable[..., Any], like: Sequence[Tensor], shapes: Sequence[Any] = (), build: Any = None
) -> tuple[Graph, Any]:
    """The graph of a function, of parameters like these tensors; and the structure that the function gave."""
    outer = get_default_graph()
    body = Graph(outer)
    body._overrides, body._devices = outer._overrides, list(outer._devices)
    with body.as_default():
        body.parameters = [
            parameter(body, tensor, f"parameter_{i}", shapes[i] if shapes else ...)
            for i, tensor in enumerate(like)
        ]
        result = function(*(build(body.parameters) if build else body.parameters))
    return body, result


def _finish(body: Graph, leaves: Sequence[Any]) -> None:
    """Sets what the body gives."""
    with body.as_default():
        body.results = [body.capture(_as_value(leaf)) for leaf in leaves]


def _captured(bodies: Sequence[Graph], outer: Graph) -> list[Tensor]:
    """The tensors of the outer graph that the bodies use."""
    return list(dict.fromkeys(t for body in bodies for t in body.captures if t.graph is outer))


def _effects(body: Graph) -> list[Operation]:
    """Operations of the body that change something: those run whether results need them or not."""
    return [o for o in body.get_operations() if is_effect(o)]


def is_effect(operation: Operation) -> bool:
    """Whether the operation changes something that outlives the run."""
    writes = "variable" in operation.attributes and operation.kind.key not in (
        "ReadVariableOp",
        "IsVariableInitialized",
    )
    return (
        writes
        or "variables" in operation.attributes
        or operation.kind.host
        or operation.type == "CheckNumerics"
        or any(_effects(graph) for graph in operation.subgraphs.values())
    )


def _run_body(
    state: State,
    body: Graph,
    bound: dict[Tensor, Any],
    known: set[Tensor],
    what: Callable[[Graph], list[Tensor]] | None = None,
) -> tuple[Frame, list[Any]]:
    """Runs a body once; gives the frame and the results."""
    operations = body_operations(body, _effects(body))
    frame = Frame(state, body, bound, known, watched_of(operations)[0])
    frame.run(operations)
    return frame, [frame.value(t) for t in body.results]


def _bindings(body: Graph, frame: Frame) -> tuple[dict[Tensor, Any], set[Tensor]]:
    """What the captures of a body stand for, and which of these do not depend on data."""
    bound, known = {}, set()
    for outer, inner in body.captures.items():
        if outer.graph is frame.graph:
            bound[inner] = frame.value(outer)
            if outer in frame.known:
                known.add(inner)
    return bound, known


# --- branches


@kind("If")
def _run_cond(frame: Frame, operation: Operation, inputs: list[Any]) -> Any:
    yes, no = operation.attributes["yes"], operation.attributes["no"]
    choice = frame.known_value(operation.inputs[0])
    if choice is not None:
        body = yes if choice else no
        bound, known = _bindings(body, frame)
        inner, results = _run_body(frame.state, body, bound, known)
        for result, outcome in zip(body.results, operation.outputs):
            if result in inner.known:
                frame.known.add(outcome)
        return results
    names = sorted(variables_of([operation], written_only=True))
    before = [frame.state.read(name) for name in names]

    def side(body: Graph) -> Callable[[], list[Any]]:
        def run() -> list[Any]:
            state = _state_with(frame.state, names, before)
            bound, _ = _bindings(body, frame)
            _, results = _run_body(state, body, bound, set())
            return [*results, *(state.values[name] for name in names)]

        return run

    results = list(_phlox._cond(inputs[0].reshape(()), side(yes), side(no)))
    count = len(operation.outputs)
    for name, value in zip(names, results[count:]):
        frame.state.write(name, value)
    return results[:count]


def _state_with(state: State, names: Sequence[str], values: Sequence[Any]) -> State:
    """The variables as a branch or turn sees them, which writes without the others seeing it."""
    inner = State(state.session, state.watched)
    inner.values = {**state.values, **dict(zip(names, values))}
    inner.leaves = state.leaves
    return inner


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
        yes, yes_result = _body(yes_fn, [])
        no, no_result = _body(no_fn, [])
    sides = [
        [_branch_leaf(body, leaf) for leaf in flatten(r)] for body, r in ((yes, yes_result), (no, no_result))
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
        _finish(body, [] if is_empty else leaves)
    for a, b in zip(yes.results, no.results):
        if a.dtype is not b.dtype:
            fail(
                "DTypeError",
                "wrong_dtype",
                f"cond(): true_fn gives {a.dtype.name} where false_fn gives {b.dtype.name}",
                hint="tf.cast(x, dtype)",
            )
    inputs = [condition, *_captured((yes, no), outer)]
    operation = outer.add(KINDS["If"], inputs, scope, attributes={"yes": yes, "no": no})
    operation._add_control_inputs([*yes.waits_for, *no.waits_for])
    outputs = add_outputs(
        operation, [(a.dtype, _common(a.shape, b.shape)) for a, b in zip(yes.results, no.results)]
    )
    if is_empty:
        return operation
    results = [_like(leaf, t) for leaf, t in zip(flatten(yes_result), outputs)]
    if (
        isinstance(yes_result, (list, tuple))
        and len(yes_result) == 1
        and not strict
        and not hasattr(yes_result, "_fields")
    ):
        return results[0]
    return pack(yes_result, results)


def _branch_leaf(body: Graph, leaf: Any) -> Any:
    """A result of a branch; an operation counts as something that happens, and gives nothing."""
    return None if isinstance(leaf, Operation) or leaf is None else leaf


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


# --- loops


@kind("While")
def _run_while(frame: Frame, operation: Operation, inputs: list[Any]) -> Any:
    test, body = operation.attributes["test"], operation.attributes["body"]
    count = len(operation.outputs)
    values, symbols = list(inputs[:count]), operation.inputs[:count]
    capturing = _phlox._is_capturing()
    known = [s in frame.known for s in symbols]
    test_captures, body_captures = _bindings(test, frame), _bindings(body, frame)

    def holds(state: State, values: Sequence[Any], known: Sequence[bool]) -> tuple[Any, bool]:
        bound = {**test_captures[0], **dict(zip(test.parameters, values))}
        marks = test_captures[1] | {p for p, k in zip(test.parameters, known) if k}
        inner, (result,) = _run_body(state, test, bound, marks)
        return result.reshape(()) if not capturing else result, test.results[0] in inner.known

    def turn(state: State, values: Sequence[Any], known: Sequence[bool]) -> tuple[list[Any], list[bool]]:
        bound = {**body_captures[0], **dict(zip(body.parameters, values))}
        marks = body_captures[1] | {p for p, k in zip(body.parameters, known) if k}
        inner, results = _run_body(state, body, bound, marks)
        return results, [r in inner.known for r in body.results]

    turns = 0
    before = dict(frame.state.values), dict(frame.state.written)
    now, now_known = values, known
    while not capturing or turns <= MOST_TURNS_WRITTEN_OUT:
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
    arrays = _ready_arrays(frame, body, values, turn)
    packed = [_packed(v) for v in arrays]
    sizes = [len(p) for p in packed]

    def unpacked(tensors: Sequence[Any]) -> list[Any]:
        parts, start = [], 0
        for value, size in zip(arrays, sizes):
            parts.append(_unpacked(value, tensors[start : start + size]))
            start += size
        return parts

    def loop_state(tensors: Sequence[Any]) -> State:
        return _state_with(frame.state, names, tensors[sum(sizes) :])

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


def _ready_arrays(frame: Frame, body: Graph, values: list[Any], turn: Callable[..., Any]) -> list[Any]:
    """The values, with arrays as tensors of one size, which a captured loop needs: a turn shows the shape of elements."""
    if not any(isinstance(v, ArrayValue) for v in values):
        return values
    shapes: list[Any] = []
    results, _ = turn(_state_with(frame.state, (), ()), values, [False] * len(values))
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
        starts = [_as_value(leaf) for leaf in leaves]
        shapes: list[Any] = [t.shape for t in starts]
        if shape_invariants is not None:
            given_shapes = _flat_shapes(shape_invariants)
            shapes[len(shapes) - len(given_shapes) :] = given_shapes

        def build(parameters: Sequence[Tensor]) -> Any:
            return pack(structure, [_like(leaf, t) for leaf, t in zip(leaves, parameters)])

        test_graph, condition = _body(test_fn, starts, shapes, build)
        body_graph, result = _body(body_fn, starts, shapes, build)
    _finish(test_graph, [condition])
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
    _finish(body_graph, new)
    for number, (start, shape, value) in enumerate(zip(starts, shapes, body_graph.results)):
        if not _stays_within(value.shape, TensorShape(shape)):
            fail(
                "ShapeError",
                "sizes_differ",
                f'while_loop(): the loop variable {number}, "{start.name}", begins with the shape {TensorShape(shape)} '
                f"and has the shape {value.shape} after a turn",
                hint="shape_invariants, with None for sizes that change",
            )
    inputs = [*starts, *_captured((test_graph, body_graph), outer)]
    operation = outer.add(KINDS["While"], inputs, scope, attributes={"test": test_graph, "body": body_graph})
    operation._add_control_inputs([*test_graph.waits_for, *body_graph.waits_for])
    outputs = add_outputs(operation, [(t.dtype, s) for t, s in zip(starts, shapes)])
    final = pack(structure, [_like(leaf, t) for leaf, t in zip(new, outputs)])
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


# --- loops over the first dimension


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
