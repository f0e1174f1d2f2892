"""Bodies of branches and loops: graphs of their own, which see the graph around them through what they capture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ._array import TensorArray
from ._calls import convert
from ._execution import Frame, State, body_operations, watched_of
from ._graph import Graph, Operation, get_default_graph
from ._tensors import Tensor, parameter

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


def as_value(leaf: Any) -> Tensor:
    """The tensor that stands for a leaf in the graph."""
    return leaf.flow if isinstance(leaf, TensorArray) else convert(leaf)


def like_leaf(leaf: Any, tensor: Tensor) -> Any:
    """The tensor as the kind of thing that the leaf is."""
    return leaf.of_flow(tensor) if isinstance(leaf, TensorArray) else tensor


# --- bodies


def make_body(
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


def finish_body(body: Graph, leaves: Sequence[Any]) -> None:
    """Sets what the body gives."""
    with body.as_default():
        body.results = [body.capture(as_value(leaf)) for leaf in leaves]


def captured_by(bodies: Sequence[Graph], outer: Graph) -> list[Tensor]:
    """The tensors of the outer graph that the bodies use."""
    return list(dict.fromkeys(t for body in bodies for t in body.captures if t.graph is outer))


def effects_of(body: Graph) -> list[Operation]:
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
        or any(effects_of(graph) for graph in operation.subgraphs.values())
    )


def run_body(
    state: State,
    body: Graph,
    bound: dict[Tensor, Any],
    known: set[Tensor],
) -> tuple[Frame, list[Any]]:
    """Runs a body once; gives the frame and the results."""
    operations = body_operations(body, effects_of(body))
    frame = Frame(state, body, bound, known, watched_of(operations)[0])
    frame.run(operations)
    return frame, [frame.value(t) for t in body.results]


def bindings_of(body: Graph, frame: Frame) -> tuple[dict[Tensor, Any], set[Tensor]]:
    """What the captures of a body stand for, and which of these do not depend on data."""
    bound, known = {}, set()
    for outer, inner in body.captures.items():
        if outer.graph is frame.graph:
            bound[inner] = frame.value(outer)
            if outer in frame.known:
                known.add(inner)
    return bound, known


def state_with(state: State, names: Sequence[str], values: Sequence[Any]) -> State:
    """The variables as a branch or turn sees them, which writes without the others seeing it."""
    inner = State(state.session, state.watched)
    inner.values = {**state.values, **dict(zip(names, values))}
    inner.leaves = state.leaves
    return inner
