"""Gradients in graphs: `tf.gradients`, `tf.hessians`, and gradients of one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import phlox

from .._failure import fail
from ._calls import _flat, convert, create_function
from ._execution import Frame, body_operations, needed, variable_name
from ._graph import Graph, Operation, get_default_graph
from ._kinds import KINDS, kind
from ._tensors import Graphed, IndexedSlices, Tensor, add_outputs, parameter

px: Any = phlox  # whose operations only its stub names


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


@kind("SymbolicGradient", "Gradients")
def _run_gradients(frame: Frame, operation: Operation, inputs: list[Any]) -> Any:
    attributes = operation.attributes
    targets = inputs[: attributes["targets"]]
    given = inputs[attributes["targets"] : attributes["targets"] + attributes["given"]]
    sources = attributes["sources"]
    leaves: list[list[Any]] = []
    for tensor in sources:
        name = variable_name(tensor)
        leaves.append([frame.value(tensor)] if name is None else frame.state.leaves.get(name, []))
    flat = [leaf for group in leaves for leaf in group if leaf.requires_grad]
    weights = given or [None] * len(targets)
    pairs = [
        (target, px.ones_like(target) if weight is None else weight.expand(target.shape))
        for target, weight in zip(targets, weights)
        if target.requires_grad
    ]
    found: list[Any] = [None] * len(flat)
    if pairs and flat:
        found = list(
            px.autograd.grad(
                [t for t, _ in pairs],
                flat,
                [w for _, w in pairs],
                retain_graph=True,
                create_graph=attributes.get("again", False),
                allow_unused=True,
            )
        )
    by_leaf = dict(zip(map(id, flat), found))
    results = []
    for tensor, group in zip(sources, leaves):
        parts = [g for g in (by_leaf.get(id(leaf)) for leaf in group) if g is not None]
        total = parts[0] if parts else px.zeros_like(group[0] if group else frame.value(tensor))
        for part in parts[1:]:
            total = total + part
        results.append(total)
    return results


def _depends(tensor: Tensor, sources: Sequence[Tensor], stops: Sequence[Tensor]) -> set[Tensor]:
    """Which of the sources the tensor depends on, through operations that gradients flow through."""
    names = {variable_name(s): s for s in sources}
    same = {outer: source for source in sources for outer in _seen_as(source)}
    found: set[Tensor] = set()
    seen: set[Tensor] = set()
    waiting = [tensor]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        if one in same:
            found.add(same[one])
        name = variable_name(one)
        if name is not None and name in names:
            found.add(names[name])
        if one in stops and one not in sources or not _differentiable(one):
            continue
        if one.op.type == "StopGradient":
            continue
        waiting.extend(one.op.inputs)
        waiting.extend(around(one))
        for graph in one.op.subgraphs.values():
            for name in _read_names(graph):
                if name in names:
                    found.add(names[name])
    return found


def around(tensor: Tensor) -> list[Tensor]:
    """What an input of a body stands for in the graph around it."""
    graph = tensor.graph
    if tensor.op.kind.key != "Parameter" or graph.outer is None:
        return []
    return [t for t, inner in graph.captures.items() if inner is tensor and t.graph is graph.outer]


def _seen_as(tensor: Tensor) -> list[Tensor]:
    """The tensor, and what it is in the graphs around."""
    return [tensor, *(t for outer in around(tensor) for t in _seen_as(outer))]


def _read_names(graph: Graph) -> set[str]:
    from ._execution import variables_of

    return variables_of(body_operations(graph))


def _differentiable(tensor: Tensor) -> bool:
    dtype = tensor.dtype
    return dtype is None or dtype.is_floating_point or dtype.is_complex or tensor.op.kind.key == "TensorArray"


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str = "gradients",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: Any = None,
    aggregation_method: Any = None,
    stop_gradients: Any = None,
    unconnected_gradients: str = "none",
) -> list[Any]:
    """The gradients of the sum of `ys` with respect to each of `xs`: tensors of their shapes, None where there is none.

    `grad_ys` are weights of the elements of `ys`. Tensors in `stop_gradients` count as constants. Gradients can be
    differentiated again.
    """
    ys, xs = _listed(ys), _listed(xs)
    graph = get_default_graph()
    stops = [convert(s) for s in _listed(stop_gradients)]
    if stops:
        return _gradients_with_stops(ys, xs, _listed(grad_ys), stops, unconnected_gradients)
    targets = [convert(y) for y in ys]
    sources = [graph.capture(convert(x)) for x in xs]
    given = [
        create_function("ones_like", (y,), {}) if w is None else convert(w, y.dtype)
        for y, w in zip(targets, _listed(grad_ys))
    ]
    for y in targets:
        if not _differentiable(y):
            fail(
                "DTypeError",
                "requires_grad_dtype",
                f'the gradient of "{y.name}", which has the dtype {y.dtype.name}',
            )
    connected = [set[Tensor]().union(*(_depends(y, [x], ()) for y in targets)) for x in sources]
    chosen = [x for x, found in zip(sources, connected) if x in found and _differentiable(x)]
    chosen = list(dict.fromkeys(chosen))
    outputs: dict[Tensor, Tensor] = {}
    if chosen:
        unread = [x for x in chosen if variable_name(x) is None]
        attributes = {"targets": len(targets), "given": len(given), "sources": chosen}
        operation = graph.add(
            KINDS["SymbolicGradient"], [*targets, *given, *unread], name, attributes=attributes
        )
        outputs = dict(zip(chosen, add_outputs(operation, [(x.dtype, x.shape) for x in chosen])))
        _mark_differentiated(operation)
    zero = unconnected_gradients in ("zero", UnconnectedGradients.ZERO)
    return [
        outputs[x] if x in outputs else create_function("zeros_like", (x,), {}) if zero else None
        for x in sources
    ]


class UnconnectedGradients:
    """What `tf.gradients` gives for what does not depend on x: None, or zeros."""

    NONE, ZERO = "none", "zero"


def _mark_differentiated(operation: Operation) -> None:
    """Gradients that this one differentiates again must be recorded."""
    for one in needed([operation]):
        if one is not operation and "sources" in one.attributes:
            one.attributes["again"] = True
        for tensor in one.outputs:
            for captured in around(tensor):
                _mark_differentiated(captured.op)
                if "sources" in captured.op.attributes:
                    captured.op.attributes["again"] = True


def _gradients_with_stops(
    ys: list[Any], xs: list[Any], grad_ys: list[Any], stops: list[Tensor], unconnected: str
) -> list[Any]:
    """What lies between is written a second time, from constants: x itself may be one of the stops."""
    graph = get_default_graph()
    sources = [convert(x) for x in xs]
    copies: dict[Tensor, Tensor] = {}
    for tensor in stops:
        copies[tensor] = create_function("stop_gradient", (tensor,), {})
    replaced = [copies.get(x, x) for x in sources]
    between = needed([convert(y).op for y in ys])
    for operation in between:
        if any(t in copies for t in operation.inputs) and not all(t in copies for t in operation.outputs):
            if operation.kind.function is None or not operation.kind.pure:
                fail(
                    "NotSupportedError",
                    "not_supported",
                    f'stop_gradients through "{operation.name}", which is a {operation.type}',
                    hint="tf.stop_gradient(x) where x is used",
                )
            inputs = [copies.get(t, t) for t in operation.inputs]
            copy = graph.add(operation.kind, inputs, None, operation.arguments, dict(operation.attributes))
            add_outputs(copy, [(t.dtype, t.shape, t.known) for t in operation.outputs])
            for old, new in zip(operation.outputs, copy.outputs):
                copies.setdefault(old, new)
    targets = [copies.get(convert(y), convert(y)) for y in ys]
    return gradients(targets, replaced, grad_ys or None, unconnected_gradients=unconnected)


def hessians(ys: Any, xs: Any, name: str = "hessians", **settings: Any) -> list[Tensor]:
    """The second derivatives of the sum of `ys` by each of `xs`: tensors of its shape twice."""
    from ._functional import map_fn

    results = []
    for x in _listed(xs):
        tensor = convert(x)
        if not tensor.shape:
            fail("ValueError", "invalid_value", f'hessians(): the shape of "{tensor.name}" must be known')
        (first,) = gradients(ys, x)
        if first is None:
            fail("GradientError", "no_gradient_path", f'hessians(): nothing depends on "{tensor.name}"')
        flat = create_function("reshape", (first, [-1]), {})
        count = tensor.shape.num_elements()
        if count is not None:
            rows = [gradients(flat[i], x, unconnected_gradients="zero")[0] for i in range(count)]
            stacked = create_function("stack", (rows,), {}) if rows else create_function("zeros", ([0],), {})
        else:
            places = create_function("range", (create_function("size", (tensor,), {}),), {})
            stacked = map_fn(
                lambda i: gradients(
                    create_function("gather", (flat, i), {}), x, unconnected_gradients="zero"
                )[0],
                places,
                dtype=tensor.dtype,
            )
        sizes = create_function("shape", (tensor,), {})
        results.append(
            create_function("reshape", (stacked, create_function("concat", ([sizes, sizes], 0), {})), {})
        )
        results[-1].set_shape(tensor.shape.concatenate(tensor.shape))
    return results


# --- gradients of one's own

_registered: dict[str, Callable[..., Any]] = {}


class RegisterGradient:
    """Makes a function a gradient that `Graph.gradient_override_map` can name: `function(operation, *grads)`.

    It gets the operation, of which it may use `inputs` and `outputs`, and the gradients of its outputs, and gives one
    gradient for each input, or None. A name that an operation's type has replaces nothing by itself.

    Example:
        @tf.RegisterGradient("Doubled")
        def doubled(op, grad):
            return 2 * grad
    """

    def __init__(self, op_type: str):
        self.name = op_type

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Registers the function. Raises ValueError for a name that is taken."""
        if self.name in _registered:
            fail("ValueError", "invalid_value", f'a gradient "{self.name}" is registered already')
        _registered[self.name] = function
        return function


def registered_gradient(name: str) -> Callable[..., Any]:
    """The gradient of this name. Raises ValueError for an unknown one."""
    if name not in _registered:
        fail(
            "ValueError",
            "unknown_name",
            f'no gradient "{name}" is registered',
            hint=f'@tf.RegisterGradient("{name}")',
        )
    return _registered[name]


def gradient_body(
    outer: Graph,
    inputs: Sequence[Tensor],
    function: Callable[..., Any],
    like: Sequence[Tensor],
) -> Graph:
    """The graph of a gradient function: parameters are the gradients of `like`, results the gradients of `inputs`."""
    body = Graph(outer)
    with body.as_default():
        grads = [parameter(body, tensor, f"grad_{i}") for i, tensor in enumerate(like)]
        body.parameters = grads
        result = function(*grads)
        found = _listed(result)
        if len(found) != len(inputs):
            fail(
                "GradientError",
                "gradient_shape",
                f"a gradient function gave {len(found)} gradients for {len(inputs)} inputs",
                hint="one for each input, None where there is none",
            )
        body.results = [None if g is None else body.capture(convert(g)) for g in found]
    return body


class _Custom(px.autograd.Function):
    """Values with a gradient that a graph computes. Arguments: variables, the graph, the values, then all tensors."""

    @staticmethod
    def forward(
        ctx: Any, state: Any, body: Any, captured: Any, values: Any, count: int, *tensors: Any
    ) -> Any:
        """The values themselves."""
        # Not the frame, which has the results: they would keep each other.
        ctx.state, ctx.body, ctx.captured, ctx.count = state, body, captured, count
        ctx.save_for_backward(*tensors)
        return tuple(v.detach().view(v.shape) for v in values)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """What the graph gives."""
        body = ctx.body
        saved = dict(zip(ctx.captured, ctx.saved_tensors[ctx.count :]))
        bound = {inner: saved[outer] for outer, inner in body.captures.items() if outer in saved}
        bound.update(zip(body.parameters, grads))
        frame = Frame(ctx.state, body, bound)
        frame.run(body_operations(body))
        found = [None if r is None else frame.value(r) for r in body.results]
        unused = [None] * (len(ctx.saved_tensors) - ctx.count)
        return (*found, *unused)


def _apply_custom(
    frame: Frame, body: Graph, inputs: list[Any], values: list[Any], captured: dict[Tensor, Any]
) -> list[Any]:
    outer = list(dict.fromkeys(t for t in body.captures if t in captured))
    # What is captured takes part only as values: its own gradient is not that of this function.
    tensors = [*inputs, *(captured[t] for t in outer)]
    result = _Custom.apply(frame.state, body, outer, values, len(inputs), *tensors)
    return list(result) if isinstance(result, tuple) else [result]


def run_with_gradient(frame: Frame, operation: Operation, inputs: list[Any]) -> list[Any]:
    """Runs an operation whose gradient is a registered one."""
    with px.no_grad():
        values = list(operation.kind.run(frame, operation, inputs))
    if not px.is_grad_enabled() or not any(i.requires_grad for i in inputs if isinstance(i, phlox.Tensor)):
        return values
    assert operation.gradient
    function = registered_gradient(operation.gradient)
    body = operation.__dict__.get("_gradient_body")
    if body is None:
        finalized, operation.graph.root.finalized = operation.graph.root.finalized, False
        try:
            body = gradient_body(
                operation.graph,
                operation.inputs,
                lambda *grads: function(operation, *grads),
                operation.outputs,
            )
        finally:
            operation.graph.root.finalized = finalized
        operation.__dict__["_gradient_body"] = body
    around = dict(zip([*operation.inputs, *operation.outputs], [*inputs, *values]))
    around.update(
        {t: frame.value(t) for t in body.captures if t not in around and t.graph is operation.graph}
    )
    return _apply_custom(frame, body, inputs, values, around)


@kind("CustomGradient", "IdentityN")
def _run_custom_gradient(frame: Frame, operation: Operation, inputs: list[Any]) -> list[Any]:
    attributes = operation.attributes
    xs, values = (
        inputs[: attributes["arguments"]],
        inputs[attributes["arguments"] : attributes["arguments"] + attributes["results"]],
    )
    if not px.is_grad_enabled() or not any(x.requires_grad for x in xs):
        return [v.detach().view(v.shape) for v in values]
    body = attributes["gradient_body"]
    return _apply_custom(frame, body, xs, values, dict(zip(operation.inputs, inputs)))


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function with a gradient of its own: `f(*x)` gives its results, and a function from their gradients to those of x.

    Example:
        @tf.custom_gradient
        def log1pexp(x):
            e = tf.exp(x)
            return tf.log(1 + e), lambda dy: dy * (1 - 1 / (1 + e))
    """

    def function(*args: Any) -> Any:
        graph = get_default_graph()
        xs = [create_function("identity", (convert(a),), {}) for a in args]
        results, grad_fn = f(*xs)
        values = [graph.capture(convert(r)) for r in _flat(results)]
        body = gradient_body(graph, xs, grad_fn, values)
        around = [t for t in body.captures if t.graph is graph]
        attributes = {"arguments": len(xs), "results": len(values), "gradient_body": body}
        operation = graph.add(KINDS["CustomGradient"], [*xs, *values, *around], None, attributes=attributes)
        outputs = add_outputs(operation, [(v.dtype, v.shape) for v in values])
        return outputs[0] if isinstance(results, (Graphed, IndexedSlices)) else type(results)(outputs)

    function.__name__ = getattr(f, "__name__", "function")
    function.__doc__ = f.__doc__
    return function


def global_norm(t_list: Sequence[Any], name: str | None = None) -> Tensor:
    """The norm of all elements of several tensors, of which some may be None."""
    tensors = [t.values if isinstance(t, IndexedSlices) else convert(t) for t in t_list if t is not None]
    return create_function("global_norm_of", (tensors,), {}, name or "global_norm")


def clip_by_global_norm(
    t_list: Sequence[Any], clip_norm: Any, use_norm: Any = None, name: str | None = None
) -> tuple[list[Any], Tensor]:
    """Tensors scaled down together so that their norm is no more than `clip_norm`, and the norm before."""
    norm = global_norm(t_list, name) if use_norm is None else convert(use_norm)
    clipped: list[Any] = []
    for tensor in t_list:
        if tensor is None:
            clipped.append(None)
        elif isinstance(tensor, IndexedSlices):
            values = create_function("global_norm_scale", (tensor.values, norm, clip_norm), {})
            clipped.append(IndexedSlices(values, tensor.indices, tensor.dense_shape))
        else:
            clipped.append(create_function("global_norm_scale", (tensor, norm, clip_norm), {}))
    return clipped, norm
