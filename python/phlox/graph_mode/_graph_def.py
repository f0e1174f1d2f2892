"""Graphs as data: what `Graph.as_graph_def` gives, files hold and `tf.import_graph_def` reads. docs/graph-mode.md has the
format.

Operations are named by the keys of the tables in `_kinds`, so reading a graph runs nothing but checks of shapes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _phlox
from .._failure import fail
from ._calls import infer
from ._graph import Graph, Operation, get_default_graph
from ._kinds import Input, find_kind
from ._tensors import DTYPES, StringType, Tensor, add_outputs

FORMAT = "phlox.graph_mode/1"


class NodeDef(dict):
    """One operation as data: `name`, `op`, `kind`, `input`, `device`, and more. Entries are attributes as well."""

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            raise AttributeError(f"a NodeDef has no {name!r}; it has {', '.join(self)}")
        return self[name]


class GraphDef:
    """A graph as data: `node` is a list of operations. `SerializeToString` gives JSON, which `ParseFromString` reads."""

    def __init__(self, node: Sequence[dict[str, Any]] = ()):
        self.node = [NodeDef(n) for n in node]

    def SerializeToString(self) -> bytes:
        """The graph as JSON, in UTF-8."""
        return str(self).encode()

    def ParseFromString(self, data: bytes | str) -> int:
        """Reads JSON. Raises FormatError where it is not that of a graph."""
        self.node = GraphDef.from_data(read_json(data)).node
        return len(data)

    @classmethod
    def FromString(cls, data: bytes | str) -> GraphDef:
        """The graph that JSON describes. Raises FormatError where it is not that of a graph."""
        return cls.from_data(read_json(data))

    @classmethod
    def from_data(cls, data: Any) -> GraphDef:
        """The graph of what JSON gave. Raises FormatError where it is not that of a graph."""
        if (
            not isinstance(data, dict)
            or data.get("format") != FORMAT
            or not isinstance(data.get("node"), list)
        ):
            fail(
                "FormatError",
                "file_malformed",
                f'a graph is a JSON object with "format": "{FORMAT}" and "node"',
            )
        return cls(data["node"])

    def to_data(self) -> dict[str, Any]:
        """What JSON holds."""
        return {"format": FORMAT, "node": [dict(n) for n in self.node]}

    def __str__(self) -> str:
        return json.dumps(self.to_data(), indent=1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GraphDef) and self.to_data() == other.to_data()

    __hash__ = None  # type: ignore[assignment]


def read_json(data: bytes | str) -> Any:
    """What the JSON says. Raises FormatError where it is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        fail("FormatError", "file_malformed", f"what describes the graph is not JSON: {error}")


# --- values


def _encoded(value: Any, what: str) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else {"float": repr(value)}
    if isinstance(value, Input):
        return {"input": value.number}
    if isinstance(value, (_phlox.dtype, StringType)):
        return {"dtype": value.name}
    if isinstance(value, tuple):
        return {"tuple": [_encoded(v, what) for v in value]}
    if isinstance(value, list):
        return [_encoded(v, what) for v in value]
    if isinstance(value, dict):
        return {"dict": [[k, _encoded(v, what)] for k, v in value.items()]}
    if isinstance(value, slice):
        return {"slice": [_encoded(v, what) for v in (value.start, value.stop, value.step)]}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, np.ndarray):
        return {"texts": [_encoded(v, what) for v in value.ravel().tolist()], "shape": list(value.shape)}
    if isinstance(value, _phlox.Tensor):
        data = base64.b64encode(_phlox._to_bytes(value.contiguous())).decode()
        return {"tensor": data, "dtype": value.dtype.name, "shape": list(value.shape)}
    if isinstance(value, Graph):
        return {"graph": _body_data(value)}
    if isinstance(value, Tensor):
        return {"value": value.name}
    fail("FormatError", "file_malformed", f"{what}: a {type(value).__name__} cannot be written to a file")


def _body_data(graph: Graph) -> dict[str, Any]:
    return {
        "node": [_node(o) for o in graph.get_operations()],
        "captures": [
            [o.name, i.name] for o, i in graph.captures.items() if graph.outer and o.graph is graph.outer
        ],
        "parameters": [t.name for t in graph.parameters],
        "results": [None if t is None else t.name for t in graph.results or []],
    }


def _node(operation: Operation) -> NodeDef:
    what = f'the operation "{operation.name}"'
    node = NodeDef(name=operation.name, op=operation.type, kind=operation.kind.key)
    node["input"] = [t.name for t in operation.inputs] + [f"^{o.name}" for o in operation.control_inputs]
    node["device"] = operation.device
    if operation.gradient:
        node["gradient"] = operation.gradient
    if operation.arguments != ((), {}):
        args, kwargs = operation.arguments
        node["args"] = [_encoded(a, what) for a in args]
        node["kwargs"] = {k: _encoded(v, what) for k, v in kwargs.items()}
    node["attr"] = {k: _encoded(v, what) for k, v in operation.attributes.items()}
    node["outputs"] = [
        [t.dtype.name if t.dtype else None, t.shape.as_list() if t.shape else None] for t in operation.outputs
    ]
    return node


def graph_def_of(graph: Graph) -> GraphDef:
    """The graph as data."""
    return GraphDef([_node(o) for o in graph.get_operations()])


# --- and back


class _Reader:
    """Reads the operations of one graph."""

    def __init__(
        self, graph: Graph, prefix: str = "", given: dict[str, Tensor] | None = None, outer: Any = None
    ):
        self.graph, self.prefix, self.given, self.outer = graph, prefix, given or {}, outer
        self.tensors: dict[str, Tensor] = {}
        self.operations: dict[str, Operation] = {}

    def tensor(self, name: Any) -> Tensor:
        """The tensor that the file names."""
        if name in self.given:
            return self.given[name]
        if name not in self.tensors:
            fail("FormatError", "file_malformed", f'the graph uses "{name}" before it is made')
        return self.tensors[name]

    def value(self, data: Any) -> Any:
        """A value of the file."""
        if data is None or isinstance(data, (bool, int, float, str)):
            return data
        if isinstance(data, list):
            return [self.value(v) for v in data]
        key = next(iter(data), "") if isinstance(data, dict) else ""
        content: Any = data.get(key) if isinstance(data, dict) else None
        if key == "float":
            return float(content)
        if key == "input":
            return Input(int(content))
        if key == "dtype":
            return _dtype(content)
        if key == "tuple":
            return tuple(self.value(v) for v in content)
        if key == "dict":
            return {k: self.value(v) for k, v in content}
        if key == "slice":
            return slice(*(self.value(v) for v in content))
        if key == "ellipsis":
            return Ellipsis
        if key == "complex":
            return complex(*content)
        if key == "bytes":
            return base64.b64decode(content)
        if key == "texts":
            texts: Any = np.empty(len(content), object)
            texts[:] = [self.value(v) for v in content]
            return texts.reshape(data["shape"])
        if key == "tensor":
            return _phlox._from_bytes(base64.b64decode(content), _dtype(data["dtype"]), data["shape"])
        if key == "graph":
            return self.body(content)
        if key == "value":
            return self.tensor(content)
        fail(
            "FormatError", "file_malformed", f'the graph has a value of the kind "{key}", which is not known'
        )

    def body(self, data: dict[str, Any]) -> Graph:
        """The body of a loop or branch."""
        graph = Graph(self.graph)
        inner = _Reader(graph, outer=self)
        inner.read(data["node"])
        graph.captures = {self.tensor(o): inner.tensor(i) for o, i in data["captures"]}
        graph.parameters = [inner.tensor(t) for t in data["parameters"]]
        graph.results = [None if t is None else inner.tensor(t) for t in data["results"]]
        return graph

    def name(self, name: str) -> str:
        """The name that an operation of the file has in the graph."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def read(self, nodes: Sequence[dict[str, Any]]) -> None:
        """Writes the operations into the graph."""
        with self.graph.as_default(), self.graph.name_scope(None), self.graph.control_dependencies(None):
            for node in nodes:
                try:
                    self._read(node)
                except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
                    if hasattr(error, "code"):
                        raise
                    fail(
                        "FormatError", "file_malformed", f"an operation of the graph is malformed: {error!r}"
                    )

    def _read(self, node: dict[str, Any]) -> None:
        kind = find_kind(node["kind"])
        inputs = [self.tensor(n) for n in node["input"] if not n.startswith("^")]
        arguments: Any = ((), {})
        if "args" in node:
            arguments = (
                tuple(map(self.value, node["args"])),
                {k: self.value(v) for k, v in node["kwargs"].items()},
            )
        attributes = {k: self.value(v) for k, v in node["attr"].items()}
        for key in ("variable",):
            if key in attributes:
                attributes[key] = self.root_name(attributes[key])
        if "variables" in attributes:
            attributes["variables"] = [self.root_name(n) for n in attributes["variables"]]
        specs: list[tuple[Any, ...]] = [(None if d is None else _dtype(d), s) for d, s in node["outputs"]]
        if kind.function:
            found = infer(kind, arguments, inputs)[1]
            if len(found) != len(specs):
                fail(
                    "FormatError",
                    "file_malformed",
                    f'"{node["name"]}" has {len(specs)} outputs, and gives {len(found)}',
                )
            specs = [(d, s, known) for (d, s), (_, _, known) in zip(specs, found)]
        if kind.key == "Const":
            value = attributes["value"]
            if not isinstance(value, np.ndarray) and value.numel() <= 4096:
                specs = [(*specs[0], (value, value))]
        operation = self.graph.add(kind, inputs, self.name(node["name"]), arguments, attributes)
        operation.device = node["device"]
        operation.gradient = node.get("gradient")
        operation._add_control_inputs([self.operations[n[1:]] for n in node["input"] if n.startswith("^")])
        self.operations[node["name"]] = operation
        for number, tensor in enumerate(add_outputs(operation, specs)):
            self.tensors[f"{node['name']}:{number}"] = tensor

    def root_name(self, name: str) -> str:
        """The name of a variable in the graph around all bodies."""
        reader = self
        while reader.outer is not None:
            reader = reader.outer
        return reader.operations[name].name if name in reader.operations else reader.name(name)


def _dtype(name: str) -> Any:
    if name not in DTYPES:
        fail("FormatError", "file_malformed", f'the graph has the dtype "{name}", which is not known')
    return DTYPES[name]


def import_graph_def(
    graph_def: GraphDef,
    input_map: dict[str, Any] | None = None,
    return_elements: Sequence[str] | None = None,
    name: str | None = None,
    producer_op_list: Any = None,
) -> list[Any] | None:
    """Writes a graph that is data into the default graph, under the prefix `name`, "import" by default.

    `input_map` puts tensors of the default graph in place of some of it; `return_elements` names what is given back.
    Nothing of the file is run. Raises FormatError where it is not a graph.
    """
    if not isinstance(graph_def, GraphDef):
        fail(
            "TypeError", "wrong_argument_type", "import_graph_def() takes a GraphDef", "graph.as_graph_def()"
        )
    from ._calls import convert

    graph = get_default_graph()
    prefix = "import" if name is None else name.rstrip("/")
    if prefix:
        with graph.name_scope(prefix) as scope:
            prefix = scope.rstrip("/")
    given = {(k if ":" in k else f"{k}:0"): convert(v) for k, v in (input_map or {}).items()}
    reader = _Reader(graph, prefix, given)
    nodes = graph_def.node
    made = {f"{n.get('name')}:{i}" for n in nodes for i in range(len(n.get("outputs", [])))}
    if unknown := sorted(set(given) - made):
        fail("ValueError", "unknown_name", f'input_map names "{unknown[0]}", which the graph does not have')
    reader.read(nodes)
    if return_elements is None:
        return None
    found: list[Any] = []
    for element in return_elements:
        known: dict[str, Any] = reader.tensors if ":" in element else reader.operations
        if element not in known:
            fail(
                "ValueError",
                "unknown_name",
                f'return_elements names "{element}", which the graph does not have',
            )
        found.append(known[element])
    return found
